"""Backends that leave and come back, on real sockets: drained, cut, or left hanging."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from simulator.live.backend import BackendServers
from simulator.live.channel import Decoder
from simulator.live.settings import BackendRole
from simulator.live.wire import ANSWER, request_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from simulator.live.channel import Message

ADDRESS = "127.4.9.1"
SLOW_NS = 40_000_000


@dataclass(slots=True, kw_only=True)
class Process:
    """A backend process's servers in this one, and the conductor's end of their channel."""

    role: BackendServers
    conductor: socket.socket
    ports: list[int]

    def tell(self, do: str, **more: Any) -> Message:  # noqa: ANN401 - JSON values
        """Say one word and return the answer."""
        self.role.on_message({"do": do, "backend": 0, **more})
        ((head, _),) = Decoder().feed(self.conductor.recv(1 << 16))
        return head

    def back(self, resting: list[int]) -> tuple[int, Message]:
        """Have backend 0 return; its new port, and the whole answer."""
        head = self.tell("back", resting=resting)
        return head["lease"][2], head


@asynccontextmanager
async def process(**changes: Any) -> AsyncIterator[Process]:  # noqa: ANN401 - settings
    given: dict[str, Any] = {"ids": (0, 1), "addresses": (ADDRESS, ADDRESS), "first": 0, "last": 0}
    settings = BackendRole(**({"allocator": "kernel"} | given | changes))
    ours, theirs = socket.socketpair()
    role = BackendServers(asyncio.get_running_loop(), theirs, 0, settings)
    ready = await role.prepare()
    try:
        ports = [lease[2] for lease in ready["leases"]]
        yield Process(role=role, conductor=ours, ports=ports)
    finally:
        role.on_quit()
        role.channel.close()
        ours.close()


async def turn() -> None:
    """Let the loop run once."""
    await asyncio.sleep(0)


async def connected(
    there: Process, port: int, service_ns: int = 0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that was accepted and whose request was read."""
    before = there.role.accepted
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    writer.write(request_head(0, 3, service_ns, close=False))
    async with asyncio.timeout(5):
        while there.role.accepted == before:
            await turn()
    return reader, writer


async def backend_of(reader: asyncio.StreamReader) -> int:
    """Who answered."""
    _, backend, size = ANSWER.unpack(await reader.readexactly(ANSWER.size))
    await reader.readexactly(size)
    return int(backend)


async def test_who_drains_finishes_what_it_has_and_accepts_no_more() -> None:
    async with process() as there:
        reader, writer = await connected(there, there.ports[0], SLOW_NS)
        left = there.tell("leave", how="drain")
        assert (left["open"], left["how"]) == (1, "drain")
        assert left["released_ns"] == left["t_ns"]
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(ADDRESS, there.ports[0])
        assert await backend_of(reader) == 0
        writer.close()
        other, out = await connected(there, there.ports[1])  # a neighbour feels nothing
        assert await backend_of(other) == 1
        out.close()


async def test_who_has_queued_up_is_served_by_a_backend_that_drains() -> None:
    async with process() as there:
        waiting = socket.create_connection((ADDRESS, there.ports[0]))
        waiting.sendall(request_head(0, 3, 0, close=False))
        assert there.tell("leave", how="drain")["open"] == 1
        reader, writer = await asyncio.open_connection(sock=waiting)
        assert await backend_of(reader) == 0
        writer.close()


async def test_a_crash_resets_everything_and_frees_the_port() -> None:
    async with process() as there:
        reader, writer = await connected(there, there.ports[0], SLOW_NS)
        assert there.tell("leave", how="crash")["open"] == 1
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with socket.socket() as heir:
            heir.bind((ADDRESS, there.ports[0]))


async def test_who_hangs_takes_connections_keeps_the_port_and_answers_nothing() -> None:
    async with process() as there:
        reader, writer = await connected(there, there.ports[0])
        assert await backend_of(reader) == 0
        left = there.tell("leave", how="hang")
        assert left["released_ns"] is None
        writer.write(request_head(0, 3, 0, close=False))
        late, out = await asyncio.open_connection(ADDRESS, there.ports[0])  # the kernel takes it
        out.write(request_head(0, 3, 0, close=False))
        other, neighbour = await connected(there, there.ports[1])
        assert await backend_of(other) == 1
        neighbour.close()
        with socket.socket() as heir, pytest.raises(OSError, match="in use"):
            heir.bind((ADDRESS, there.ports[0]))
        port, head = there.back([there.ports[0]])
        assert port != there.ports[0]
        assert left["t_ns"] <= head["released_ns"] <= head["t_ns"]
        for one in (reader, late):
            with pytest.raises(ConnectionResetError):
                await one.read()
        writer.close()
        out.close()


@pytest.mark.parametrize("how", ["drain", "crash", "hang"])
async def test_who_is_back_serves_on_another_port(how: str) -> None:
    async with process(allocator="random", first=22_000, last=22_999) as there:
        there.tell("leave", how=how)
        port, head = there.back([there.ports[0]])
        assert port != there.ports[0]
        assert head["lease"][:2] == [0, ADDRESS]
        reader, writer = await connected(there, port)
        assert await backend_of(reader) == 0
        writer.close()


async def test_without_a_port_it_says_so_and_can_be_asked_again() -> None:
    async with process(allocator="permanent", first=22_100, last=22_102) as there:
        there.tell("leave", how="crash")
        head = there.tell("back", resting=[22_100, 22_102])  # the other backend has 22101
        assert head["lease"] is None
        assert there.back([22_100])[0] == 22_102


async def test_who_is_absent_has_no_port_until_it_comes() -> None:
    async with process(absent=(0,)) as there:
        assert len(there.ports) == 1
        port, head = there.back([])
        assert head["released_ns"] is None
        reader, writer = await connected(there, port)
        assert await backend_of(reader) == 0
        writer.close()


async def test_a_pause_between_accepts_does_not_outlive_its_listener() -> None:
    async with process(accept_every_ns=1_000_000) as there:
        _, writer = await connected(there, there.ports[0])
        there.tell("leave", how="crash")
        reader, out = await connected(there, there.back([])[0])
        await asyncio.sleep(0.005)  # longer than the pause
        assert await backend_of(reader) == 0
        writer.close()
        out.close()
