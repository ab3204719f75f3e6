"""Real backends on real ports: what they answer, when, and what they count."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import asynccontextmanager
from time import monotonic_ns
from typing import TYPE_CHECKING

import pytest

from simulator.live.backend import BackendServers
from simulator.live.settings import BackendRole
from simulator.live.wire import ANSWER, ANSWER_MAGIC, request_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADDRESS = "127.4.7.1"


@asynccontextmanager
async def servers(**changes: object) -> AsyncIterator[tuple[BackendServers, list[int]]]:
    """A backend process's servers in this one, and the port of each backend."""
    given: dict[str, object] = {
        "ids": (0,),
        "addresses": (ADDRESS,),
        "allocator": "kernel",
        "first": 0,
        "last": 0,
    }
    settings = BackendRole(**(given | changes))  # type: ignore[arg-type]
    ours, theirs = socket.socketpair()
    role = BackendServers(asyncio.get_running_loop(), theirs, 0, settings)
    ready = await role.prepare()
    try:
        yield role, [lease[2] for lease in ready["leases"]]
    finally:
        role.on_quit()
        role.channel.close()
        ours.close()


async def turn() -> None:
    """Let the loop run once; the servers have nothing to wait on from outside."""
    await asyncio.sleep(0)


def request(body: int = 5, answer: int = 7, service_ns: int = 0, *, close: bool = False) -> bytes:
    return request_head(body, answer, service_ns, close=close) + b"x" * body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Backend id and body length of one whole answer."""
    magic, backend, size = ANSWER.unpack(await reader.readexactly(ANSWER.size))
    assert magic == ANSWER_MAGIC
    await reader.readexactly(size)
    return backend, size


@pytest.mark.parametrize("piece", [1, 3, 1000])
async def test_requests_are_answered_however_they_are_cut(piece: int) -> None:
    async with servers() as (role, (port,)):
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        data = request(5, 7) + request(0, 0) + request(100, 70_000)
        for at in range(0, len(data), piece):
            writer.write(data[at : at + piece])
            await writer.drain()
        assert [await read_answer(reader) for _ in range(3)] == [(0, 7), (0, 0), (0, 70_000)]
        writer.close()
        await writer.wait_closed()
        assert role.answered == 3


async def test_a_long_answer_waits_for_a_slow_reader() -> None:
    size = 20_000_000
    async with servers() as (role, (port,)):
        reader, writer = await asyncio.open_connection(ADDRESS, port, limit=1 << 16)
        writer.write(request(0, size))
        assert await read_answer(reader) == (0, size)
        writer.write(request(0, 3))
        assert await read_answer(reader) == (0, 3)
        writer.close()
        await writer.wait_closed()
        assert role.dropped == 0


async def test_a_half_closed_client_still_gets_its_answer() -> None:
    async with servers() as (_, (port,)):
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        writer.write(request(5, 7, service_ns=20_000_000))
        writer.write_eof()
        assert await read_answer(reader) == (0, 7)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_an_answer_never_comes_before_its_service_time() -> None:
    service_ns = 30_000_000
    async with servers() as (_, (port,)):
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        begin = monotonic_ns()
        writer.write(request(5, 7, service_ns))
        await read_answer(reader)
        assert monotonic_ns() - begin >= service_ns
        writer.close()
        await writer.wait_closed()


async def test_the_last_answer_of_close_backend_is_followed_by_the_end() -> None:
    async with servers() as (_, (port,)):
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        writer.write(request(5, 7, close=True))
        await read_answer(reader)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_connection_without_a_request_is_closed_after_the_idle_timeout() -> None:
    limit_ns = 30_000_000
    async with servers(idle_timeout_ns=limit_ns) as (role, (port,)):
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        # Longer in service than the limit: whoever works is not idle.
        writer.write(request(5, 7, service_ns=2 * limit_ns))
        assert await read_answer(reader) == (0, 7)
        begin = monotonic_ns()
        assert await reader.read() == b""
        assert monotonic_ns() - begin >= limit_ns * 0.9  # the answer was on its way before `begin`
        silent, other = await asyncio.open_connection(ADDRESS, port)
        assert await silent.read() == b""
        assert role.counters()["idled"] == 2
        assert role.counters()["active"] == 0
        for one in (writer, other):
            one.close()
            await one.wait_closed()


async def test_without_an_idle_timeout_nobody_is_watched() -> None:
    async with servers() as (role, (port,)):
        _, writer = await asyncio.open_connection(ADDRESS, port)
        await turn()
        assert role._idle is None
        writer.close()
        await writer.wait_closed()


async def test_bytes_that_are_no_request_end_the_connection_and_are_counted() -> None:
    async with servers() as (role, (port,)):
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
        try:
            left = await reader.read()
        except ConnectionResetError:
            left = b""
        assert left == b""  # ended, in whichever way, without a word
        writer.close()
        assert role.dropped == 1


async def test_a_refusing_backend_holds_its_port_and_the_kernel_refuses() -> None:
    async with servers(refusing=(0,)) as (_, (port,)):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(ADDRESS, port)
        with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
            other.bind((ADDRESS, port))


async def test_a_port_that_somebody_holds_is_a_lost_race_and_the_next_one_is_taken() -> None:
    with socket.socket() as thief:
        thief.bind((ADDRESS, 0))
        taken = thief.getsockname()[1]
        last = min(taken + 3, 65535)
        async with servers(allocator="permanent", first=taken, last=last) as (role, (port,)):
            assert taken < port <= last
            assert role.leases[0].lost_races >= 1


async def test_two_backends_with_the_same_random_stream_never_share_a_port() -> None:
    ids = tuple(range(300))
    async with servers(
        ids=ids, addresses=(ADDRESS,) * 300, allocator="random", first=20000, last=20399, seed=3
    ) as (_, ports):
        assert len(set(ports)) == 300
        assert all(20000 <= port <= 20399 for port in ports)


async def test_running_out_of_descriptors_is_counted_and_passes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with servers() as (role, (port,)):
        clients = [socket.socket() for _ in range(8)]
        used = max(client.fileno() for client in clients) + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
        try:
            for client in clients:
                client.connect((ADDRESS, port))  # the kernel completes it before any accept
            async with asyncio.timeout(5):
                while not role.accept_errors:
                    await turn()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        async with asyncio.timeout(5):
            while role.accepted < len(clients):
                await turn()
        for client in clients:
            client.close()
        assert role.counters()["accept_errors"]["EMFILE"] >= 1
