"""Backends that speak HTTP, judged by aiohttp's own client and by plain sockets."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from scipy import stats

from simulator.live.http_backend import HttpServers
from simulator.live.http_messages import http_request
from tests.support.servers import Served, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ADDRESS = "127.4.11.1"
MS = 1_000_000


@asynccontextmanager
async def servers(**changes: Any) -> AsyncIterator[Served[HttpServers]]:  # noqa: ANN401
    async with served(HttpServers, ADDRESS, **changes) as there:
        yield there


async def until(holds: Callable[[], bool]) -> None:
    """Turn the loop until something holds; there is nothing to wait on from outside."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def ask(
    session: aiohttp.ClientSession, port: int, size: int = 3, service_ns: int = 0, body: bytes = b""
) -> tuple[int, int, str]:
    """One request: status, bytes of the answer, and which backend gave it."""
    url = f"http://{ADDRESS}:{port}/{size}"
    fields = {"Service-Ns": str(service_ns)}
    method = "POST" if body else "GET"
    async with session.request(method, url, data=body or None, headers=fields) as answer:
        return answer.status, len(await answer.read()), answer.headers["X-Backend"]


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_003])
@pytest.mark.parametrize("body", [b"", b"x" * 300_000])
async def test_aiohttps_client_gets_what_it_asks_for(size: int, body: bytes) -> None:
    two = {"ids": (0, 1), "addresses": (ADDRESS, ADDRESS)}
    async with servers(**two) as there, aiohttp.ClientSession() as session:
        for number, port in enumerate(there.ports):
            assert await ask(session, port, size, body=body) == (200, size, str(number))
        assert there.role.counters()["answered"] == 2


async def test_a_connection_is_kept_for_many_requests() -> None:
    async with servers() as there, aiohttp.ClientSession() as session:
        for _ in range(20):
            await ask(session, there.ports[0])
        counted = there.role.counters()
        assert (counted["accepted"], counted["active"], counted["answered"]) == (1, 1, 20)
        assert counted["fds"] == 2  # the listener and this one
    assert there.role.counters()["active"] == 0


async def test_a_path_that_is_no_size_is_404() -> None:
    async with servers() as there, aiohttp.ClientSession() as session:
        for path in ("", "a", "5/5", "999999999", "1" * 30):
            async with session.get(f"http://{ADDRESS}:{there.ports[0]}/{path}") as answer:
                assert answer.status == 404


async def receive(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.read()


async def test_whoever_asks_for_the_end_gets_it_from_the_backend() -> None:
    async with servers() as there:
        reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0])
        writer.write(http_request(0, 5, 0, "x", close=True))
        assert (await receive(reader)).endswith(b"\r\n\r\n" + bytes(5))  # and then its FIN
        writer.close()


async def test_nonsense_is_400_and_the_end() -> None:
    async with servers() as there:
        reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0])
        writer.write(b"PCQ1 and nothing that is HTTP\r\n\r\n")
        assert b" 400 " in (await receive(reader)).split(b"\r\n")[0]
        writer.close()
        assert there.role.counters()["answered"] == 0


async def test_an_answer_never_comes_before_its_service_time() -> None:
    async with (
        servers(slow=(1,), slow_factor=3.0, ids=(0, 1), addresses=(ADDRESS,) * 2) as there,
        aiohttp.ClientSession() as session,
    ):
        for port, least_ns in zip(there.ports, (20 * MS, 60 * MS), strict=True):
            begin = monotonic_ns()
            await ask(session, port, 3, 20 * MS)
            assert monotonic_ns() - begin >= least_ns


async def test_requests_beyond_the_limit_wait_their_turn() -> None:
    async with servers(concurrency=2) as there, aiohttp.ClientSession() as session:
        begin = monotonic_ns()
        await asyncio.gather(*(ask(session, there.ports[0], 3, 20 * MS) for _ in range(6)))
        assert monotonic_ns() - begin >= 3 * 20 * MS  # six requests, two at a time
        counted = there.role.counters()
        assert (counted["answered"], counted["waiting"], counted["most_waiting"]) == (6, 0, 4)


async def test_who_finds_no_place_in_the_queue_is_told_503_and_kept() -> None:
    async with servers(concurrency=1, queue=2) as there, aiohttp.ClientSession() as session:
        met = await asyncio.gather(*(ask(session, there.ports[0], 3, 30 * MS) for _ in range(8)))
        assert sorted(status for status, _, _ in met) == [200] * 3 + [503] * 5
        assert there.role.counters()["turned_away"] == 5
        assert there.role.counters()["active"] == 8  # of those nobody was hung up on
        assert (await ask(session, there.ports[0]))[0] == 200


async def test_who_hangs_up_while_it_waits_leaves_its_turn_to_the_next() -> None:
    async with servers(concurrency=1) as there, aiohttp.ClientSession() as session:
        first = asyncio.create_task(ask(session, there.ports[0], 3, 30 * MS))
        await until(lambda: there.role.counters()["serving"] == 1)
        lost = socket.create_connection((ADDRESS, there.ports[0]))
        lost.sendall(http_request(0, 3, 10_000 * MS, "x", close=False))
        await until(lambda: there.role.counters()["waiting"] == 1)
        lost.close()
        await until(lambda: there.role.counters()["active"] == 1)
        await first
        assert (await ask(session, there.ports[0]))[0] == 200


async def test_errors_are_500_in_their_share() -> None:
    async with (
        servers(error_rate=0.3, seed=5) as there,
        aiohttp.ClientSession() as session,
    ):
        met = await asyncio.gather(*(ask(session, there.ports[0]) for _ in range(200)))
        bad = sum(status == 500 for status, _, _ in met)
        assert bad == there.role.counters()["errors"]
        assert {status for status, _, _ in met} == {200, 500}
        assert stats.binomtest(bad, 200, 0.3).pvalue > 1e-3


async def test_an_answer_in_chunks_keeps_its_pace_and_is_chunked() -> None:
    async with (
        servers(chunk_bytes=100, chunk_every_ns=10 * MS) as there,
        aiohttp.ClientSession() as session,
    ):
        begin = monotonic_ns()
        async with session.get(f"http://{ADDRESS}:{there.ports[0]}/550") as answer:
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert len(await answer.read()) == 550
        assert monotonic_ns() - begin >= 5 * 10 * MS  # six chunks, five waits
        async with (
            aiohttp.ClientSession(version=aiohttp.HttpVersion10) as old,
            old.get(f"http://{ADDRESS}:{there.ports[0]}/250") as answer,
        ):
            assert answer.headers["Content-Length"] == "250"
            assert len(await answer.read()) == 250


async def test_who_rests_for_the_idle_timeout_is_closed_and_counted() -> None:
    limit_ns = 40 * MS
    async with servers(idle_timeout_ns=limit_ns) as there:
        reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0])
        writer.write(http_request(0, 5, 2 * limit_ns, "x", close=False))  # who works is not idle
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await reader.readexactly(5)
        begin = monotonic_ns()
        assert await receive(reader) == b""
        assert monotonic_ns() - begin >= limit_ns * 0.8  # the answer was on its way before `begin`
        silent, other = await asyncio.open_connection(ADDRESS, there.ports[0])
        assert await receive(silent) == b""
        assert there.role.counters()["idled"] == 2
        for one in (writer, other):
            one.close()


async def asked(there: Served[HttpServers], service_ns: int = 0) -> tuple[Any, Any]:
    """A connection whose request was read, and is being served."""
    before = there.role.accepted
    reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0])
    writer.write(http_request(0, 3, service_ns, "x", close=False))
    await until(lambda: there.role.accepted > before and bool(there.role._serial_of))
    return reader, writer


async def test_a_backend_that_drains_finishes_what_it_has() -> None:
    async with servers() as there:
        reader, writer = await asked(there, 30 * MS)
        left = there.tell("leave", how="drain")
        assert left["open"] == 1
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(ADDRESS, there.ports[0])
        writer.close()


async def test_a_backend_that_crashes_resets_what_it_has_and_comes_back() -> None:
    async with servers(concurrency=1) as there, aiohttp.ClientSession() as session:
        reader, writer = await asked(there, 10_000 * MS)
        assert there.tell("leave", how="crash")["open"] == 1
        with pytest.raises(ConnectionResetError):
            await receive(reader)
        writer.close()
        port = there.tell("back", resting=[])["lease"][2]
        assert (await ask(session, port))[0] == 200  # its one slot is free again


async def test_a_backend_that_hangs_is_silent_until_it_comes_back() -> None:
    async with servers() as there, aiohttp.ClientSession() as session:
        reader, writer = await asked(there, 10 * MS)
        there.tell("leave", how="hang")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
        port = there.tell("back", resting=[])["lease"][2]
        with pytest.raises(ConnectionResetError):
            await receive(reader)
        writer.close()
        assert (await ask(session, port))[0] == 200


async def test_a_crash_before_aiohttp_has_the_connection_cuts_it_too() -> None:
    async with servers() as there:
        client = socket.create_connection((ADDRESS, there.ports[0]))
        client.settimeout(5)
        # Accepted in the turn in which it leaves: aiohttp is told of it later.
        there.role._accept(next(iter(there.role._listeners)))
        there.tell("leave", how="crash")
        await until(lambda: not there.role._arriving)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        client.close()
