"""The live page's server: who gets in, who does not, and who is let go."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import pytest

from simulator.errors import Refused
from simulator.live import page_server
from simulator.live.page_server import PageFile, PageServer
from simulator.live.viewers import Viewers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

TOKEN = "a-token-of-the-run"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
FILES = {
    "/": PageFile(body=b"<!doctype html>", content_type="text/html; charset=utf-8"),
    "/live.js": PageFile(body=b"1", content_type="text/javascript; charset=utf-8"),
}
DENIED_TO_ALL = ("Access-Control-Allow-Origin", "Set-Cookie")


@dataclass
class Served:
    """A server that listens, and how often it was asked to stop the run."""

    viewers: Viewers = field(default_factory=lambda: Viewers(lambda: b'{"all":1}'))
    stops: int = 0
    url: str = ""
    port: int = 0

    def stop(self) -> str:
        self.stops += 1
        return "stopping"


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Served, aiohttp.ClientSession]]:
    """A server, and a client of it."""
    made = Served()
    server = PageServer(files=FILES, viewers=made.viewers, token=TOKEN, stop=made.stop)
    link = await server.start()
    made.url, _, token = link.partition("#")
    assert token == TOKEN
    made.port = int(made.url.rstrip("/").rpartition(":")[2])
    try:
        async with aiohttp.ClientSession() as session:
            yield made, session
    finally:
        await server.close()


async def said(port: int, request: bytes) -> bytes:
    """The answer to a request written by hand, to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def test_every_answer_carries_the_same_protection() -> None:
    async with served() as (made, session):
        asked = [
            session.get(made.url),
            session.get(made.url + "live.js"),
            session.get(made.url + "nothing"),
            session.get(made.url + "events"),
            session.post(made.url + "stop"),
            session.post(made.url + "stop", headers=SHOWN),
            session.delete(made.url, headers=SHOWN),
            session.get(made.url, headers={"Host": "outside.example"}),
        ]
        statuses = []
        for request in asked:
            async with request as answer:
                statuses.append(answer.status)
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Cache-Control"] == "no-store"
                assert not any(name in answer.headers for name in DENIED_TO_ALL)
        assert statuses == [200, 200, 404, 401, 401, 200, 405, 403]


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/live.js/../live.py",
        "/live.js%00.html",
        "/..%5c..%5cetc%5cpasswd",
    ],
)
async def test_nothing_of_a_url_becomes_a_path(path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n"
    async with served() as (made, _):
        answer = await said(made.port, request.replace("PORT", str(made.port)).encode())
    assert answer.split()[1] in (b"404", b"400")
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "host",
    ["outside.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.outside.example:PORT", "[::1]:PORT"],
)
@pytest.mark.parametrize("path", ["", "events"])
async def test_another_name_for_this_server_is_refused(host: str, path: str) -> None:
    async with served() as (made, session):
        headers = {**SHOWN, "Host": host.replace("PORT", str(made.port))}
        async with session.get(made.url + path, headers=headers) as answer:
            assert answer.status == 403


@pytest.mark.parametrize("hosts", ["", "Host: 127.0.0.1:PORT\r\nHost: outside.example\r\n"])
async def test_no_name_or_two_are_refused(hosts: str) -> None:
    async with served() as (made, _):
        head = f"GET / HTTP/1.0\r\n{hosts.replace('PORT', str(made.port))}\r\n"
        assert (await said(made.port, head.encode())).split()[1] in (b"403", b"400")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer " + TOKEN[:-1]}, 401),
        ({"Authorization": "Basic " + TOKEN}, 401),
        ({"Authorization": "Bearer \u00e9"}, 401),
        ({"Cookie": f"token={TOKEN}"}, 401),
        ({**SHOWN, "Origin": "http://outside.example"}, 403),
        ({**SHOWN, "Origin": "null"}, 403),
        ({**SHOWN, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**SHOWN, "Sec-Fetch-Site": "same-site"}, 403),
        ({**SHOWN, "Sec-Fetch-Site": "same-origin"}, 200),
        (SHOWN, 200),
    ],
)
async def test_only_the_page_of_the_run_stops_it(headers: dict[str, str], status: int) -> None:
    async with served() as (made, session):
        async with session.post(made.url + "stop", headers=headers) as answer:
            assert answer.status == status
        assert made.stops == (status == 200)
        async with session.get(made.url + "stop", headers=SHOWN) as answer:
            assert answer.status == 404
        assert made.stops == (status == 200)


async def test_the_pages_own_origin_may_stop_it() -> None:
    async with served() as (made, session):
        headers = {**SHOWN, "Origin": made.url.rstrip("/")}
        async with session.post(made.url + "stop", headers=headers) as answer:
            assert (answer.status, await answer.text()) == (200, "stopping")


async def test_news_comes_as_events_and_ends() -> None:
    async with served() as (made, session):
        async with session.get(made.url + "events", headers=SHOWN) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert await answer.content.readuntil(b"\n\n") == b'data: {"all":1}\n\n'
            made.viewers.tell(b"{}")
            assert await answer.content.readuntil(b"\n\n") == b"data: {}\n\n"
            made.viewers.end()
            assert await answer.content.read() == b""
        assert len(made.viewers) == 0


async def test_one_who_never_reads_is_cut_off_and_another_hears_everything() -> None:
    async with served() as (made, session):
        deaf = socket.create_connection(("127.0.0.1", made.port))
        head = f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{made.port}\r\n"
        deaf.sendall(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        async with session.get(made.url + "events", headers=SHOWN) as answer:
            heard = -1  # everything so far is the first piece
            piece = b"x" * (1 << 18)
            told = 0
            while made.viewers.dropped == 0:
                made.viewers.tell(piece)
                told += 1
                assert told < 1000, "a viewer who does not read was never let go"
                while heard < told - 1:
                    assert await answer.content.readuntil(b"\n\n")
                    heard += 1
            made.viewers.end()
            rest = await answer.content.read()
        assert (heard + rest.count(b"\n\n")) == told
        assert len(made.viewers) == 0
        deaf.close()


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    """Room for both ends of a thousand connections in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4000)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
async def test_a_thousand_connections_that_say_nothing_keep_nobody_out() -> None:
    async with served() as (made, session):
        idle = [await asyncio.open_connection("127.0.0.1", made.port) for _ in range(1000)]
        try:
            async with session.get(made.url + "events", headers=SHOWN) as answer:
                assert answer.status == 200
        finally:
            for _, writer in idle:
                writer.close()


async def test_strangers_are_ended_and_too_many_are_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_server, "SHOW_WITHIN_S", 0.2)
    monkeypatch.setattr(page_server, "_MOST_CONNECTIONS", 3)
    async with served() as (made, _):
        many = [await asyncio.open_connection("127.0.0.1", made.port) for _ in range(5)]
        async with asyncio.timeout(5):
            assert [await reader.read() for reader, _ in many] == [b""] * 5
        for _, writer in many:
            writer.close()


async def test_a_header_without_end_is_refused() -> None:
    async with served() as (made, _):
        head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{made.port}\r\nX: {'x' * 100_000}\r\n\r\n"
        with suppress(ConnectionError):  # ended before all of it was said
            assert (await said(made.port, head.encode())).split()[1] == b"400"


async def test_a_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = PageServer(files=FILES, viewers=Viewers(lambda: b""), token=TOKEN, stop=str)
        with pytest.raises(Refused, match="Cannot listen"):
            await server.start(taken.getsockname()[1])
