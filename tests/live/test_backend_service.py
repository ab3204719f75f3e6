"""Limits, faults and streams of backends on real sockets, held against the clock and counts."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest
from scipy import stats

from simulator.live.backend_service import ServiceServers, is_special
from simulator.live.settings import BackendRole
from simulator.live.wire import ANSWER, request_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADDRESS = "127.4.10.1"
MS = 1_000_000


def role(**changes: Any) -> BackendRole:  # noqa: ANN401 - settings
    given: dict[str, Any] = {"ids": (0,), "addresses": (ADDRESS,), "allocator": "kernel"}
    return BackendRole(**(given | {"first": 0, "last": 0} | changes))


@asynccontextmanager
async def servers(**changes: Any) -> AsyncIterator[tuple[ServiceServers, list[int]]]:  # noqa: ANN401
    ours, theirs = socket.socketpair()
    made = ServiceServers(asyncio.get_running_loop(), theirs, 0, role(**changes))
    ready = await made.prepare()
    try:
        yield made, [lease[2] for lease in ready["leases"]]
    finally:
        made.on_quit()
        made.channel.close()
        ours.close()


async def ask(port: int, service_ns: int = 0, answer: int = 3) -> tuple[int, int]:
    """One request on a connection of its own: bytes of the answer, and how long it took."""
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    begin = monotonic_ns()
    writer.write(request_head(0, answer, service_ns, close=False))
    try:
        _, _, size = ANSWER.unpack(await reader.readexactly(ANSWER.size))
        await reader.readexactly(size)
    finally:
        writer.close()
    return size, monotonic_ns() - begin


def test_plain_backends_are_served_plainly() -> None:
    assert not is_special(role())
    for one in (
        {"concurrency": 1},
        {"error_rate": 0.1},
        {"slow": (0,)},
        {"hanging": (0,)},
        {"chunk_bytes": 1},
        {"leaks": 0.1},
    ):
        assert is_special(role(**one))


async def test_requests_beyond_the_limit_wait_their_turn() -> None:
    service_ns = 20 * MS
    async with servers(concurrency=2) as (made, (port,)):
        begin = monotonic_ns()
        await asyncio.gather(*(ask(port, service_ns) for _ in range(6)))
        assert monotonic_ns() - begin >= 3 * service_ns  # six requests, two at a time
        counted = made.counters()
        assert (counted["answered"], counted["waiting"]) == (6, 0)
        assert counted["most_waiting"] == 4


async def test_who_finds_no_place_in_the_queue_is_reset_at_once() -> None:
    async with servers(concurrency=1, queue=2) as (made, (port,)):
        met = await asyncio.gather(*(ask(port, 30 * MS) for _ in range(8)), return_exceptions=True)
        served = [one for one in met if not isinstance(one, BaseException)]
        turned = [one for one in met if isinstance(one, OSError | asyncio.IncompleteReadError)]
        # All eight come within the first service time: one is served, two wait.
        assert (len(served), len(turned)) == (3, 5)
        counted = made.counters()
        assert (counted["answered"], counted["turned_away"]) == (3, 5)
        assert counted["most_waiting"] == 2
        await ask(port)


async def test_who_gives_up_while_it_waits_leaves_its_turn_to_the_next() -> None:
    async with servers(concurrency=1) as (made, (port,)):
        first = asyncio.create_task(ask(port, 30 * MS))
        async with asyncio.timeout(5):
            while made.counters()["serving"] < 1:
                await turn()
            lost = socket.create_connection((ADDRESS, port))
            lost.sendall(request_head(0, 3, 10_000 * MS, close=False))
            while made.counters()["waiting"] < 1:
                await turn()
            lost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            lost.close()
            await first
            await ask(port)


async def turn() -> None:
    """Let the loop run once."""
    await asyncio.sleep(0)


async def test_a_slow_backend_takes_its_factor_longer() -> None:
    two = {"ids": (0, 1), "addresses": (ADDRESS, ADDRESS)}
    async with servers(slow=(1,), slow_factor=4.0, **two) as (_, (fast, slow)):
        assert (await ask(slow, 20 * MS))[1] >= 80 * MS
        assert (await ask(fast, 20 * MS))[1] >= 20 * MS


async def test_errors_are_resets_in_their_share() -> None:
    async with servers(error_rate=0.3, seed=5) as (made, (port,)):
        met = await asyncio.gather(*(ask(port) for _ in range(200)), return_exceptions=True)
        resets = [one for one in met if isinstance(one, OSError | asyncio.IncompleteReadError)]
        assert len(resets) == made.resets
        assert made.answered == 200 - made.resets
        assert stats.binomtest(made.resets, 200, 0.3).pvalue > 1e-3


async def test_a_hanging_backend_is_connected_to_and_says_nothing() -> None:
    two = {"ids": (0, 1), "addresses": (ADDRESS, ADDRESS)}
    async with servers(hanging=(0,), **two) as (made, (hanging, well)):
        reader, writer = await asyncio.open_connection(ADDRESS, hanging)
        writer.write(request_head(0, 3, 0, close=False))
        await ask(well)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await reader.read(1)
        assert made.accepted == 1
        writer.close()


async def test_what_leaks_is_kept_after_its_end_in_its_share() -> None:
    async with servers(leaks=0.3, seed=5) as (made, (port,)):
        for _ in range(200):
            await ask(port)
        async with asyncio.timeout(5):
            while made.leaked < made.counters()["active"]:
                await turn()
        assert made.counters()["active"] == made.counters()["leaked"] == made.leaked
        assert stats.binomtest(made.leaked, 200, 0.3).pvalue > 1e-3


async def test_a_leaked_connection_ends_with_a_reset() -> None:
    async with servers(leaks=1.0) as (made, (port,)):
        sock = socket.create_connection((ADDRESS, port))
        sock.sendall(request_head(0, 3, 0, close=False))
        sock.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(5):
            while not made.leaked:
                await turn()
            assert made.counters()["active"] == 1
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            while made.counters()["active"]:
                await turn()


async def test_an_answer_in_chunks_keeps_its_pace_and_is_whole() -> None:
    async with servers(chunk_bytes=100, chunk_every_ns=10 * MS) as (made, (port,)):
        size, took = await ask(port, answer=550)
        assert size == 550
        assert took >= 5 * 10 * MS  # six chunks, five waits
        assert (await ask(port, answer=0))[0] == 0
        assert made.answered == 2


async def test_a_stream_holds_its_slot_to_the_end() -> None:
    async with servers(chunk_bytes=10, chunk_every_ns=10 * MS, concurrency=1) as (_, (port,)):
        begin = monotonic_ns()
        await asyncio.gather(ask(port, answer=40), ask(port, answer=40))
        assert monotonic_ns() - begin >= 2 * 3 * 10 * MS


async def test_a_backend_that_crashed_begins_with_free_slots() -> None:
    async with servers(concurrency=1) as (made, (port,)):
        stuck = socket.create_connection((ADDRESS, port))
        stuck.sendall(request_head(0, 3, 10_000 * MS, close=False))
        async with asyncio.timeout(5):
            while made.counters()["serving"] < 1:
                await turn()
            made.on_message({"do": "leave", "backend": 0, "how": "crash"})
            made.on_message({"do": "back", "backend": 0, "resting": []})
            await ask(made.leases[-1].port)
        stuck.close()
