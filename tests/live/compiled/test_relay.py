"""What the compiled relay must have in common with the other: choices, ports, records, refusals.

Bytes, ends, retries, timeouts and limits are held by `test_relay.py` and `test_pairs.py` of the
room above, which run with both.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING

import pytest

from simulator.errors import Refused
from simulator.kernel.sockets import LINGER_ZERO
from simulator.live.compiled.relay import CompiledRelay
from simulator.live.userspace_dialer import LOST_RACES_MAX
from simulator.ports.range import PortRange
from simulator.records import Call, Ending
from tests.support.namespace import in_namespace
from tests.support.stage import staged

if TYPE_CHECKING:
    from simulator.live.port_modes import Mode
    from tests.support.stage import Stage

SOURCES = ("127.2.1.1", "127.2.1.2")
PORTS = PortRange(43_000, 43_009)
#: Where a test itself holds ports: nobody who runs at the same time has the address.
OWN_SOURCE = f"127.2.{100 + os.getpid() % 100}.{1 + os.getpid() // 100 % 250}"


async def one_after_the_other(stage: Stage, count: int) -> None:
    """Clients that ask, are answered and leave."""
    for number in range(count):
        client = stage.client()
        await stage.loop.sock_sendall(client, b"question")
        client.shutdown(socket.SHUT_WR)
        await stage.until(lambda now, number=number: now.active == 0 and now.accepted > number)  # type: ignore[misc]


@pytest.mark.parametrize("policy", ["round-robin", "random", "two-choices", "least-connections"])
async def test_the_same_seed_picks_the_same_on_both_data_paths(policy: str) -> None:
    picked = []
    for compiled in (False, True):
        async with staged(backends=4, policy=policy, seed=7, compiled=compiled) as stage:
            assert isinstance(stage.relay, CompiledRelay) == compiled
            # All are in the queue when the relay looks, so they are taken as one batch.
            clients = [stage.client() for _ in range(40)]
            for client in clients:
                await stage.loop.sock_sendall(client, b"x")
            await stage.until(lambda now: now.accepted == 40)
            picked.append(stage.dials()[:, 2].tolist())
    assert picked[0] == picked[1]
    assert len(picked[0]) == 40


@pytest.mark.parametrize("mode", ["kernel", "late-bind", "early-bind", "socket-range", "userspace"])
async def test_every_way_to_take_a_port_is_the_one_that_was_asked_for(mode: Mode) -> None:
    async with staged(mode=mode, sources=SOURCES, ports=PORTS, compiled=True) as stage:
        ends = []
        for _ in range(6):
            client = stage.client()
            await stage.loop.sock_sendall(client, b"x")
            ends.append((await stage.backend()).getpeername())
        assert [address for address, _ in ends] == [*SOURCES] * 3
        rows = stage.dials()
        assert rows[:, 3].tolist() == [0, 1] * 3, "addresses by their index"
        assert all(rows[:, 0] > 0)
        assert all(rows[:, 1] > 0), "time inside bind() and connect()"
        assert set(rows[:, 5]) == {0}
        assert set(rows[:, 6]) == {int(Call.CONNECT)}
        if mode in ("userspace", "socket-range"):
            assert {port for _, port in ends} <= set(range(PORTS.first, PORTS.last + 1))
        told = rows[:, 4].tolist()
        assert told == ([port for _, port in ends] if mode == "userspace" else [0] * 6)


@pytest.mark.usefixtures("both_data_paths")
async def test_a_port_goes_back_on_its_list_when_its_connection_has_ended() -> None:
    async with staged(mode="userspace", sources=SOURCES[:1], ports=PortRange(43_000, 43_001)) as (
        stage
    ):
        for number in range(10):
            client = stage.client()
            await stage.loop.sock_sendall(client, b"x")
            backend = await stage.backend()
            client.close()
            assert await stage.receive(backend) == b"x"
            backend.close()
            await stage.until(lambda now, n=number: now.active == 0 and now.accepted == n + 1)  # type: ignore[misc]
        assert set(stage.dials()[:, 4].tolist()) <= {43_000, 43_001}
        assert not stage.refusals()


@pytest.mark.usefixtures("both_data_paths")
async def test_out_of_ports_is_told_as_that_and_nobody_else_suffers() -> None:
    async with staged(mode="userspace", sources=SOURCES[:1], ports=PortRange(43_000, 43_001)) as (
        stage
    ):
        clients = [stage.client() for _ in range(3)]
        statistics = await stage.until(lambda now: now.accepted == 3)
        assert (statistics.refused, statistics.active) == (1, 2)
        assert statistics.dial_errors == {(Call.BIND, Ending.NO_PORT): 1}
        with pytest.raises(ConnectionResetError):
            await stage.loop.sock_recv(clients[2], 1)
        for client in clients[:2]:
            await stage.loop.sock_sendall(client, b"still here")
            assert await stage.loop.sock_recv(await stage.backend(), 100) == b"still here"


@pytest.mark.usefixtures("both_data_paths")
async def test_a_port_that_somebody_else_holds_is_passed_over() -> None:
    held = []
    for port in range(43_000, 43_004):
        held.append(socket.socket())
        held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # over a TIME_WAIT
        held[-1].bind((OWN_SOURCE, port))
        held[-1].listen()
    try:
        free = PortRange(43_000, 43_004)
        async with staged(mode="userspace", sources=(OWN_SOURCE,), ports=free) as stage:
            client = stage.client()
            await stage.loop.sock_sendall(client, b"x")
            statistics = await stage.until(lambda now: bool(now.bytes_up or now.refused))
            rows = stage.dials()
            lost = stage.relay._dialer.statistics().lost_races
            if statistics.refused:  # the fifth of a random order comes after four lost ones
                assert lost == LOST_RACES_MAX + 1
                assert rows[:, 5].tolist() == [errno.EADDRINUSE]
                assert rows[:, 6].tolist() == [int(Call.BIND)]
            else:
                assert rows[:, 4].tolist() == [43_004]
                assert lost <= LOST_RACES_MAX
    finally:
        for sock in held:
            sock.close()


@pytest.mark.usefixtures("both_data_paths")
async def test_the_port_taken_after_a_lost_race_goes_back_on_its_list_too() -> None:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # over a TIME_WAIT
        held.bind((OWN_SOURCE, 43_000))
        held.listen()
        few = PortRange(43_000, 43_004)
        async with staged(mode="userspace", sources=(OWN_SOURCE,), ports=few) as stage:
            for number in range(1, 31):
                client = stage.client()
                await stage.loop.sock_sendall(client, b"x")
                await stage.until(lambda now, sent=number: now.bytes_up == sent)  # type: ignore[misc]
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
                client.close()
                await stage.until(lambda now, ended=number: now.resets == ended)  # type: ignore[misc]
            assert stage.relay._dialer.statistics().lost_races > 0
            assert 43_000 not in stage.dials()[:, 4]


async def test_more_comes_in_one_wake_up_than_a_small_read_takes() -> None:
    async with staged(compiled=True) as stage:
        client = stage.client()
        sent = os.urandom(2_000_000)

        async def ask() -> None:
            await stage.loop.sock_sendall(client, sent)
            client.shutdown(socket.SHUT_WR)

        async with asyncio.TaskGroup() as both:
            both.create_task(ask())
            backend = await stage.backend()
            assert await stage.receive(backend) == sent
        backend.close()
        await stage.until(lambda now: now.active == 0)


async def test_a_descriptor_beyond_the_limit_of_the_start_finds_room() -> None:
    async with staged(compiled=True) as stage:
        client = stage.client()
        await stage.loop.sock_sendall(client, b"before ")
        backend = await stage.backend()
        stage.relay._grow(len(stage.relay._flags))
        await stage.loop.sock_sendall(client, b"and after")
        client.shutdown(socket.SHUT_WR)
        assert await stage.receive(backend) == b"before and after"


@pytest.mark.namespace
def test_ports_that_are_never_given_back_are_refused_by_name() -> None:
    def body() -> str:
        async def main() -> str:
            with pytest.raises(Refused) as caught:
                async with staged(mode="permanent", sources=SOURCES, compiled=True):
                    pass
            return str(caught.value)

        return asyncio.run(main())

    assert "permanent" in in_namespace(body)
