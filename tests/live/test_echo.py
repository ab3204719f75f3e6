"""Echo: whatever comes goes back whole and in order, and a client sees when it does not."""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.live.echo import EchoClient, EchoServers, EchoTurnsClient
from simulator.records import Call, Ending, Outcome
from tests.live.test_client import front, generate, requests_plan
from tests.live.test_turns import waiting
from tests.support.servers import served

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.test_client import Handler

ADDRESS = "127.4.13.1"
MS = 1_000_000


@pytest.mark.parametrize("close", ["client", "reset"])
@pytest.mark.parametrize("size", [1, 300, 1_000_003])
async def test_every_request_comes_back(tmp_path: Path, close: str, size: int) -> None:
    columns = requests_plan(5, requests=3, request_bytes=size, response_bytes=size)
    async with served(EchoServers, ADDRESS) as there:
        where = (ADDRESS, there.ports[0])
        rows = await generate(tmp_path, where, columns, kind=EchoClient, close=close)
        assert there.role.counters()["accepted"] == 5
    assert set(rows["outcome"]) == {Outcome.OK}
    assert set(rows["answers"]) == {3}
    assert set(rows["bytes_in"]) == {3 * size}


async def test_a_client_that_does_not_read_is_not_read_from(tmp_path: Path) -> None:
    async with served(EchoServers, ADDRESS) as there:
        reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0], limit=1 << 10)
        data = bytes(np.arange(1 << 24, dtype=np.uint32).astype("u1"))

        async def send() -> None:
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        done, _ = await asyncio.wait([sending], timeout=0.1)
        assert not done, "somebody holds 16 MiB that nobody reads"
        (connection,) = there.role._connections.values()
        assert len(connection.buffer) <= 1 << 16
        async with asyncio.timeout(10):
            assert await reader.read(-1) == data  # also after the sender's own end
            await sending
        writer.close()
        await writer.wait_closed()


async def test_who_is_silent_for_the_idle_timeout_is_closed_and_counted() -> None:
    limit_ns = 30 * MS
    async with served(EchoServers, ADDRESS, idle_timeout_ns=limit_ns) as there:
        reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0])
        begin = monotonic_ns()
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        assert await reader.read() == b""
        assert monotonic_ns() - begin >= limit_ns
        assert there.role.counters()["idled"] == 1
        writer.close()


async def test_a_hanging_backend_is_connected_to_and_says_nothing() -> None:
    two = {"ids": (0, 1), "addresses": (ADDRESS, ADDRESS)}
    async with served(EchoServers, ADDRESS, hanging=(0,), **two) as there:
        reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0])
        writer.write(b"x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await reader.read(1)
        assert there.role.counters()["accepted"] == 0
        writer.close()


async def test_a_backend_that_crashes_resets_its_connections() -> None:
    async with served(EchoServers, ADDRESS) as there:
        reader, writer = await asyncio.open_connection(ADDRESS, there.ports[0])
        writer.write(b"x")
        await reader.readexactly(1)
        assert there.tell("leave", how="crash")["open"] == 1
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()


async def changes_a_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = await reader.readexactly(100)
    writer.write(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    await reader.read()


async def says_it_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(2 * await reader.readexactly(100))
    await reader.read()


async def swallows_a_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = await reader.readexactly(100)
    writer.write(data[:50] + data[51:])
    await reader.read()


async def stops_halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.readexactly(100))[:50])
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (changes_a_byte, Ending.PROTOCOL),
        (says_it_twice, Ending.PROTOCOL),
        (swallows_a_byte, Ending.PROTOCOL),
        (stops_halfway, Ending.EOF),
    ],
)
async def test_an_echo_that_differs_is_noticed(
    tmp_path: Path, handler: Handler, error: Ending
) -> None:
    async with front(handler) as where:
        columns = requests_plan(5, request_bytes=100, response_bytes=100)
        rows = await generate(tmp_path, where, columns, kind=EchoClient)
    assert set(rows["call"]) == {Call.RECV}
    assert set(rows["error"]) == {error}


async def test_a_try_that_worked_needs_no_other(tmp_path: Path) -> None:
    async with served(EchoServers, ADDRESS) as there:
        where = (ADDRESS, there.ports[0])
        columns = waiting(5, 2, 5, request_bytes=9, response_bytes=9)
        rows = await generate(tmp_path, where, columns, kind=EchoTurnsClient)
    assert rows["outcome"].tolist() == [Outcome.OK] * 5 + [Outcome.NOT_SENT_NEEDLESS] * 5
