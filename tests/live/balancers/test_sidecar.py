"""The sidecar on real sockets: what it passes on, and what it writes when the balancer is gone."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.kernel.sockets import LINGER_ZERO, open_listener
from simulator.live.balancers.sidecar import SidecarRelay
from simulator.live.port_modes import new_dialer
from simulator.live.relay import RelaySettings
from simulator.ports.range import PortRange
from simulator.records import CUT_COLUMNS, REFUSAL_COLUMNS, Call, Hop
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FRONT, BALANCER, NEAR = "127.5.0.1", "127.2.0.1", "127.6.0.1"


@asynccontextmanager
async def beside(upstream: tuple[str, int]) -> AsyncIterator[tuple[SidecarRelay, socket.socket]]:
    """A sidecar before a balancer, and a client connected to it."""
    loop = asyncio.get_running_loop()
    listener = open_listener(FRONT, 0, backlog=16)
    front = listener.getsockname()
    dialer = new_dialer(
        "late-bind", (NEAR,), PortRange(20_000, 29_999), generator=pure_random(1, "ports")
    )
    relay = SidecarRelay(loop, listener, dialer, RelaySettings(retries=0))
    relay.insert(0, *upstream)
    relay.start()
    with socket.socket() as client:
        client.setblocking(False)
        try:
            # The handshake is over when this returns; waiting for the loop to say so would let the
            # relay act first.
            assert client.connect_ex(front) == errno.EINPROGRESS
            yield relay, client
        finally:
            relay.close()


def rows(data: bytes, columns: dict[str, str]) -> list[dict[str, int]]:
    table = np.frombuffer(data, "<i8").reshape(-1, len(columns))
    return [dict(zip(columns, row.tolist(), strict=True)) for row in table]


def number(address: str) -> int:
    return int(IPv4Address(address))


async def test_a_reset_by_the_balancer_is_told_with_both_ends_of_the_sidecar() -> None:
    loop = asyncio.get_running_loop()
    with open_listener(BALANCER, 0, backlog=16) as balancer:
        async with beside(balancer.getsockname()) as (relay, client):
            await loop.sock_sendall(client, b"question")
            accepted, near = await loop.sock_accept(balancer)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            accepted.close()
            with pytest.raises(ConnectionResetError):
                await loop.sock_recv(client, 100)
            (cut,) = rows(relay.take_cuts(), CUT_COLUMNS)
            # What the balancer knows its peer by, and what the client is known by.
            assert (cut["near_address"], cut["near_port"]) == (number(near[0]), near[1])
            address, port = client.getsockname()
            assert (cut["peer_address"], cut["peer_port"]) == (number(address), port)
            assert 0 < cut["accepted_ns"] <= cut["t_ns"]
            assert rows(relay.take_refusals(), REFUSAL_COLUMNS) == []
            assert relay.take_cuts() == b""


async def test_a_reset_by_the_client_is_no_cut() -> None:
    loop = asyncio.get_running_loop()
    with open_listener(BALANCER, 0, backlog=16) as balancer:
        async with beside(balancer.getsockname()) as (relay, client):
            await loop.sock_sendall(client, b"question")
            accepted, _ = await loop.sock_accept(balancer)
            with accepted:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
                client.close()
                assert await loop.sock_recv(accepted, 100) == b"question"
                with pytest.raises(ConnectionResetError):
                    await loop.sock_recv(accepted, 100)
            assert relay.take_cuts() == b""


async def test_a_balancer_that_is_not_there_is_refused_on_the_sidecars_own_hop() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as held:
        held.bind((BALANCER, 0))
        async with beside(held.getsockname()) as (relay, client):
            with pytest.raises(ConnectionResetError):
                await loop.sock_recv(client, 100)
            (refused,) = rows(relay.take_refusals(), REFUSAL_COLUMNS)
            assert refused["hop"] == Hop.SIDECAR_BALANCER
            assert (refused["call"], refused["backend"]) == (Call.CONNECT, -1)
            assert relay.take_cuts() == b""
