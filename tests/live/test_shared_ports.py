"""One port for several processes: taken alone, shared on purpose, spread by the kernel."""

from __future__ import annotations

import select
import socket
from math import sqrt
from typing import TYPE_CHECKING

import pytest

from simulator.live.settings import BackendRole, RoleSpec, SamplerRole
from simulator.live.shared_ports import keep_only, take_shared_ports
from tests.support.namespace import in_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.live.shared_ports import Share

ADDRESS = "127.4.9.1"


def specs(backends: int, shares: int) -> list[RoleSpec]:
    """Roles of ``backends`` backends, each served by ``shares`` processes."""
    return [
        RoleSpec(
            kind="backend",
            index=share * backends + backend,
            settings=BackendRole(
                ids=(backend,),
                addresses=(ADDRESS,),
                allocator="random",
                first=21_100,
                last=21_115,
                seed=7,
                total=backends,
                shares=shares,
                share=share,
            ),
        )
        for share in range(shares)
        for backend in range(backends)
    ]


@pytest.fixture
def shares() -> Iterator[dict[int, Share]]:
    found = take_shared_ports(specs(2, 3))
    yield found
    for listener, _ in found.values():
        listener.close()


def test_each_process_gets_a_socket_on_its_backends_port(shares: dict[int, Share]) -> None:
    assert sorted(shares) == [0, 1, 2, 3, 4, 5]
    ports = [{shares[index][0].getsockname() for index in (at, at + 2, at + 4)} for at in (0, 1)]
    assert [len(one) for one in ports] == [1, 1]
    assert ports[0] != ports[1], "two backends never share"
    for index, (listener, lease) in shares.items():
        assert listener.getsockname() == (ADDRESS, lease.port)
        assert lease.backend == index % 2


def test_who_was_not_let_in_does_not_get_in(shares: dict[int, Share]) -> None:
    taken = shares[0][1].port
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind((ADDRESS, taken))
    # Even one that would share: the port was taken before anybody was let in.
    others = take_shared_ports(specs(1, 2))
    assert not {one.port for _, one in others.values()} & {one.port for _, one in shares.values()}
    for listener, _ in others.values():
        listener.close()


def test_backends_of_one_process_are_left_alone() -> None:
    alone = specs(2, 1)
    sampler = RoleSpec(kind="sampler", index=0, settings=SamplerRole(every_ns=1, hops=()))
    assert take_shared_ports([*alone, sampler]) == {}


def test_a_role_keeps_its_own_and_closes_the_others(shares: dict[int, Share]) -> None:
    mine = keep_only(shares, specs(2, 3)[3])
    assert mine is shares[3]
    assert mine[0].fileno() >= 0
    assert all(share[0].fileno() == -1 for index, share in shares.items() if index != 3)
    client = RoleSpec(kind="sampler", index=3, settings=SamplerRole(every_ns=1, hops=()))
    assert keep_only(shares, client) is None
    assert mine[0].fileno() == -1


def spread(connections: int) -> list[int]:
    """How many connections each of three listeners has in its queue."""
    found = take_shared_ports(specs(1, 3))
    for listener, _ in found.values():
        listener.listen(connections)
    clients = []
    for _ in range(connections):
        client = socket.socket()
        client.connect(found[0][0].getsockname())
        clients.append(client)
    counts = []
    for listener, _ in found.values():
        count = 0
        while select.select([listener], [], [], 0)[0]:
            listener.accept()[0].close()
            count += 1
        counts.append(count)
    for one in clients:
        one.close()
    return counts


@pytest.mark.namespace
def test_the_kernel_spreads_connections_over_all_of_them() -> None:
    counts = in_namespace(spread, 300)
    assert sum(counts) == 300
    deviation = sqrt(300 * (1 / 3) * (2 / 3))
    assert all(abs(count - 100) < 5 * deviation for count in counts)
