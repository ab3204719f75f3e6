"""The generator that speaks HTTP, against servers that do, servers that do not, and nginx."""

from __future__ import annotations

import asyncio
import errno
import gc
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.live.http_backend import HttpServers
from simulator.live.http_client import HttpClient, HttpTurnsClient
from simulator.measure.accounting import count_attempts
from simulator.records import NOT_YET, Call, Outcome, error_name
from tests.live.test_client import front, generate, requests_plan, resets
from tests.live.test_turns import waiting
from tests.support.runs import MS
from tests.support.servers import served
from tests.support.stage import staged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.test_client import Handler

ADDRESS = "127.4.12.1"
Rows = dict[str, np.ndarray[Any, Any]]


def errors_of(rows: Rows) -> dict[str, int]:
    """Names of what failed, with counts; the attempts must add up."""
    failed = rows["outcome"] == Outcome.FAILED
    names = [error_name(int(code)) for code in rows["error"][failed]]
    found = {name: names.count(name) for name in set(names)}
    count_attempts(rows, found)
    return found


@pytest.mark.parametrize("close", ["client", "reset", "backend"])
@pytest.mark.parametrize("requests", [1, 4])
@pytest.mark.parametrize(("size", "answer"), [(0, 70), (100, 0), (70_000, 200_000)])
async def test_our_backend_answers_and_every_close_is_ok(
    tmp_path: Path, close: str, requests: int, size: int, answer: int
) -> None:
    columns = requests_plan(10, requests=requests, request_bytes=size, response_bytes=answer)
    async with served(HttpServers, ADDRESS) as there:
        where = (ADDRESS, there.ports[0])
        rows = await generate(tmp_path, where, columns, kind=HttpClient, close=close)
        counted = there.role.counters()
    assert errors_of(rows) == {}
    assert set(rows["outcome"]) == {Outcome.OK}
    assert set(rows["answers"]) == {requests}
    assert (rows["bytes_in"] > requests * answer).all()
    assert (counted["accepted"], counted["answered"]) == (10, 10 * requests)
    assert (rows["first_byte_ns"] <= rows["answered_ns"]).all()


async def test_chunked_answers_are_read_as_they_come(tmp_path: Path) -> None:
    columns = requests_plan(5, requests=2, response_bytes=500)
    async with served(HttpServers, ADDRESS, chunk_bytes=64, chunk_every_ns=MS) as there:
        rows = await generate(tmp_path, (ADDRESS, there.ports[0]), columns, kind=HttpClient)
    assert errors_of(rows) == {}
    assert (rows["answered_ns"] - rows["first_byte_ns"] >= 7 * MS).all()


async def test_the_plan_says_how_long_an_answer_takes(tmp_path: Path) -> None:
    columns = requests_plan(5, requests=2)
    columns["service_ns"] = np.full(10, 15 * MS, dtype="<i8")
    async with served(HttpServers, ADDRESS) as there:
        rows = await generate(tmp_path, (ADDRESS, there.ports[0]), columns, kind=HttpClient)
    assert (rows["answered_ns"] - rows["connected_ns"] >= 30 * MS).all()


async def test_a_5xx_fails_its_connection_which_still_ends_as_planned(tmp_path: Path) -> None:
    columns = requests_plan(100, requests=3)
    async with served(HttpServers, ADDRESS, error_rate=0.2, seed=3) as there:
        where = (ADDRESS, there.ports[0])
        rows = await generate(tmp_path, where, columns, kind=HttpClient, close="backend")
        counted = there.role.counters()
    assert counted["accepted"] == 100
    assert counted["answered"] == 300  # nobody hung up
    found = errors_of(rows)
    assert set(found) == {"HTTP_500"}
    assert 0 < found["HTTP_500"] <= counted["errors"]  # one connection may meet several
    assert set(rows["call"][rows["outcome"] == Outcome.FAILED]) == {Call.RECV}
    assert set(rows["answers"]) == {3}


async def test_a_retry_follows_a_status_that_is_a_failure(tmp_path: Path) -> None:
    columns = waiting(20, 4, 5)
    async with served(HttpServers, ADDRESS, error_rate=0.5, seed=1) as there:
        where = (ADDRESS, there.ports[0])
        rows = await generate(tmp_path, where, columns, kind=HttpTurnsClient)
        counted = there.role.counters()
    failed = rows["outcome"] == Outcome.FAILED
    assert errors_of(rows) == {"HTTP_500": counted["errors"]}
    assert counted["accepted"] == (rows["sent_ns"] != NOT_YET).sum()
    for row in np.flatnonzero(failed[:60]):
        assert rows["sent_ns"][row + 20] >= rows["closed_ns"][row] + 5 * MS
    for row in np.flatnonzero(rows["outcome"][:60] == Outcome.OK):
        assert rows["outcome"][row + 20] == Outcome.NOT_SENT_NEEDLESS


def says(*answers: bytes, then: str = "close") -> Handler:
    """A server that gives these bytes for each request in turn, and then closes or waits."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            for at in range(0, len(answer), 7):
                writer.write(answer[at : at + 7])
            await writer.drain()
        if then == "wait":
            await reader.read()
        writer.close()

    return handle


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    ("handler", "requests", "errors"),
    [
        (says(OK, then="wait"), 1, None),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, OK, then="wait"), 2, None),
        (says(b"HTTP/1.0 200 OK\r\n\r\nhello"), 1, None),  # the end is the end of the answer
        (says(b"HTTP/1.0 200 OK\r\n\r\nhell"), 1, {"HTTP_PROTOCOL"}),
        (says(b"HTTP/1.0 200 OK\r\n\r\nhello"), 2, {"EOF"}),  # and of all others
        (says(b"PCA1\x00\x00\x00\x00", then="wait"), 1, {"HTTP_PROTOCOL"}),
        (says(bytes(range(256)) * 100, then="wait"), 1, {"HTTP_PROTOCOL"}),
        (says(OK.replace(b"5", b"6") + b"!", then="wait"), 1, {"HTTP_PROTOCOL"}),
        (says(OK + OK, then="wait"), 1, {"HTTP_PROTOCOL"}),
        (says(OK[:-1]), 1, {"EOF"}),
        (says(OK[:20]), 1, {"EOF"}),
        (says(b""), 1, {"EOF"}),
        (says(OK, b""), 2, {"EOF"}),
        (says(OK[:-1], then="wait"), 1, {"TIMEOUT"}),
        (resets, 1, {"ECONNRESET"}),
        (says(OK.replace(b"200 OK", b"503 No"), then="wait"), 1, {"HTTP_503"}),
        (says(OK.replace(b"200 OK", b"404 No"), then="wait"), 1, {"HTTP_404"}),
        (says(b"HTTP/1.1 301 There\r\nContent-Length: 0\r\n\r\n", then="wait"), 1, {"HTTP_301"}),
    ],
)
async def test_each_way_to_answer_has_its_own_entry(
    tmp_path: Path, handler: Handler, requests: int, errors: set[str] | None
) -> None:
    columns = requests_plan(5, requests=requests, response_bytes=5)
    async with front(handler) as where:
        rows = await generate(tmp_path, where, columns, kind=HttpClient, timeout_ns=100 * MS)
    assert set(errors_of(rows)) == (errors or set())
    assert (rows["connected_ns"] >= 0).all()


async def test_bytes_after_the_answer_that_nobody_asked_for_are_no_answer(tmp_path: Path) -> None:
    async def talks_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        asyncio.get_running_loop().call_later(0.02, writer.write, OK)
        await reader.read()

    async with front(talks_on) as where:
        columns = requests_plan(3, response_bytes=5, lifetime_ns=200 * MS)
        rows = await generate(tmp_path, where, columns, kind=HttpClient)
    assert errors_of(rows) == {"HTTP_PROTOCOL": 3}
    assert set(rows["answers"]) == {1}


async def test_nobody_listening_is_told_as_for_any_client(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind((ADDRESS, 0))
        rows = await generate(tmp_path, held.getsockname(), requests_plan(5), kind=HttpClient)
    assert set(rows["call"]) == {Call.CONNECT}
    assert set(rows["error"]) == {errno.ECONNREFUSED}


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """An nginx of our own with a file of 100 and one of 300,000 bytes; where it listens."""
    (tmp_path / "100").write_bytes(bytes(100))
    (tmp_path / "300000").write_bytes(bytes(300_000))
    with socket.socket() as holder:
        # SO_REUSEPORT, as nginx is told to use too: taken by binding, and kept.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((ADDRESS, 0))
        port = holder.getsockname()[1]
        temp = "".join(
            f"{name}_temp_path {tmp_path}; "
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; pid {tmp_path}/pid; error_log stderr; master_process off; user root;\n"
            f"events {{}}\nhttp {{ access_log off; {temp} server {{ root {tmp_path};\n"
            f"listen {ADDRESS}:{port} reuseport; }} }}\n"
        )
        command = ["nginx", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            yield ADDRESS, port
        finally:
            process.terminate()
            process.communicate(timeout=10)


async def wait_for(where: tuple[str, int]) -> None:
    """Return when somebody listens there."""
    async with asyncio.timeout(10):
        while True:
            with socket.socket() as sock:
                if not sock.connect_ex(where):
                    return
            await asyncio.sleep(0.01)  # only between two looks


@pytest.mark.skipif(
    shutil.which("nginx") is None, reason="nginx is missing; on Debian: apt-get install nginx-light"
)
@pytest.mark.parametrize("close", ["client", "backend"])
async def test_nginx_answers_as_our_own_backend_does(
    tmp_path: Path, nginx: tuple[str, int], close: str
) -> None:
    columns = requests_plan(30, requests=3)
    columns["response_bytes"] = np.array([100, 300_000, 5] * 10, dtype="<i4")
    await wait_for(nginx)
    rows = await generate(tmp_path, nginx, columns, kind=HttpClient, close=close)
    assert errors_of(rows) == {"HTTP_404": 10}
    assert set(rows["answers"]) == {3}


async def test_nonsense_stays_nonsense_through_the_relay(tmp_path: Path) -> None:
    async with staged() as stage:

        async def speak() -> None:
            for _ in range(5):
                sock = await stage.backend()
                await stage.loop.sock_recv(sock, 1 << 16)
                await stage.loop.sock_sendall(sock, b"\x16\x03\x01 a handshake of something else")

        speaking = asyncio.create_task(speak())
        rows = await generate(tmp_path, stage.front, requests_plan(5), kind=HttpClient)
        await speaking
        gc.collect()  # the ledger's maps, before the stage counts descriptors
    assert errors_of(rows) == {"HTTP_PROTOCOL": 5}
