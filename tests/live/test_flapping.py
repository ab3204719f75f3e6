"""Listeners that stop and begin again: the kernel refuses meanwhile, and nobody takes the port."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import open_listener
from simulator.live.backend import BackendServers
from simulator.live.channel import Decoder
from simulator.live.flapping import Flapping, may_listen_again, stop_listening
from simulator.live.settings import BackendRole
from simulator.live.wire import ANSWER, request_head
from tests.support.runs import MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from simulator.live.channel import Message

ADDRESS = "127.4.11.1"


def settings(**changes: Any) -> BackendRole:  # noqa: ANN401 - settings
    given: dict[str, Any] = {
        "ids": (0, 1),
        "addresses": (ADDRESS, ADDRESS),
        "allocator": "random",
        "first": 20_000,
        "last": 29_999,
        "flapping": (0,),
        "flap_first_ns": (0,),
        "flap_up_ns": 20 * MS,
        "flap_down_ns": 20 * MS,
        "flap_end_ns": 70 * MS,
    }
    return BackendRole(**(given | changes))


def dial(address: tuple[str, int]) -> int:
    """The errno of a connect that is dropped again, 0 = it stood."""
    with socket.socket() as sock:
        return sock.connect_ex(address)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as found:
        for port in range(20_000, 30_000):
            try:
                found.bind((ADDRESS, port))
            except OSError:
                continue
            break
        may_listen_again(found)
        found.listen(8)
        yield found


def test_who_stops_refuses_and_keeps_the_port(listener: socket.socket) -> None:
    here = listener.getsockname()
    client = socket.create_connection(here)
    accepted, _ = listener.accept()
    stop_listening(listener)
    assert dial(here) == errno.ECONNREFUSED
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(here)
    client.sendall(b"still")
    assert accepted.recv(5) == b"still", "what was accepted goes on"
    accepted.close()
    client.close()  # its other end waits in TIME_WAIT on the very port
    listener.listen(8)
    assert listener.getsockname() == here
    assert dial(here) == 0


@asynccontextmanager
async def process() -> AsyncIterator[tuple[BackendServers, socket.socket, list[int]]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    role = BackendServers(asyncio.get_running_loop(), theirs, 0, settings())
    ready = await role.prepare()
    try:
        yield role, ours, [lease[2] for lease in ready["leases"]]
    finally:
        role.on_quit()
        role.channel.close()
        ours.close()


async def heard(conductor: socket.socket, count: int) -> list[Message]:
    decoder, found = Decoder(), list[Any]()
    async with asyncio.timeout(5):
        while len(found) < count:
            data = await asyncio.get_running_loop().sock_recv(conductor, 1 << 16)
            found += [head for head, _ in decoder.feed(data)]
    return found


async def test_a_process_says_each_change_and_none_comes_early() -> None:
    async with process() as (role, conductor, _):
        role.t0_ns = monotonic_ns()
        role.on_start()
        said = await heard(conductor, 4)
        assert [one["listens"] for one in said] == [False, True, False, True]
        assert {one["backend"] for one in said} == {0}
        for index, one in enumerate(said):
            assert one["t_ns"] >= index * 20 * MS


async def test_the_other_backend_of_the_process_serves_on() -> None:
    async with process() as (role, _, ports):
        role._flap(0, listens=False)
        assert dial((ADDRESS, ports[0])) == errno.ECONNREFUSED
        reader, writer = await asyncio.open_connection(ADDRESS, ports[1])
        writer.write(request_head(0, 3, 0, close=True))
        async with asyncio.timeout(5):
            assert len(await reader.read()) == ANSWER.size + 3
        writer.close()
        role._flap(0, listens=True)
        assert dial((ADDRESS, ports[0])) == 0


def test_who_is_stopped_changes_nothing_any_more() -> None:
    loop = asyncio.new_event_loop()
    flapping = Flapping(loop, settings(), lambda *_: pytest.fail("it was stopped"))
    flapping.begin(monotonic_ns())
    flapping.stop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_a_port_that_the_kernel_picked_would_be_lost() -> None:
    """Why `ports: kernel` is refused beside flapping."""
    with open_listener(ADDRESS, 0, backlog=8) as found:
        here = found.getsockname()
        stop_listening(found)
        with socket.socket() as thief:
            thief.bind(here)
