"""Source ports by mode: how many there are, what is said when there are none, whose turn it is."""

from __future__ import annotations

import errno
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from simulator.model.agenda import Agenda
from simulator.model.dialer import Dialer
from simulator.model.directory import HeldPorts
from simulator.model.kernel_ports import KernelPorts
from simulator.model.tuples import HopTuples
from simulator.ports.range import PortRange
from simulator.ports.selection.free_list import RandomFreePorts, shuffled, usable_ports
from simulator.records import Call, Ending
from simulator.seeds import pure_random, stream_key
from tests.support.scenarios import small

if TYPE_CHECKING:
    from simulator.model.tuples import Group

NO_PORT = {
    "kernel": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "late-bind": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "socket-range": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "early-bind": (Call.BIND, errno.EADDRINUSE),
    "permanent": (Call.BIND, errno.EADDRINUSE),
    "userspace": (Call.BIND, Ending.NO_PORT),
}


def dialers(*changes: str, workers: int = 1, held: set[int] | None = None) -> list[Dialer]:
    asked = small("kernel.port_range=50000-50009", *changes)
    tuples, shared = HopTuples(), dict[tuple[int, int], "Group"]()
    kernel = KernelPorts(asked, Agenda(), HeldPorts(held or ()))
    source = asked.balancer.source
    return [
        Dialer(asked, source, "balancer", at, workers, tuples, shared, kernel)
        for at in range(workers)
    ]


@pytest.mark.parametrize("mode", list(NO_PORT))
@pytest.mark.parametrize("addresses", [1, 2])
def test_each_mode_has_its_budget_and_its_word_for_its_end(mode: str, addresses: int) -> None:
    [dialer] = dialers(f"balancer.source.ports={mode}", f"balancer.source.addresses={addresses}")
    per_address = mode in ("early-bind", "permanent")
    for destination in range(1 if per_address else 2):
        got = [dialer.dial(destination, 0) for _ in range(10 * addresses)]
        assert None not in got
    assert dialer.dial(0, 0) is None
    assert dialer.no_port == tuple(map(int, NO_PORT[mode]))
    # Where the port is taken before the destination is known, no other destination helps.
    assert (dialer.dial(5, 0) is None) == per_address


def test_source_addresses_take_turns_for_each_destination() -> None:
    [dialer] = dialers("balancer.source.ports=late-bind", "balancer.source.addresses=3")
    dialer.know(1)
    turns = []
    for destination in (0, 0, 1, 0, 1):
        assert dialer.dial(destination, 0) is not None
        turns.append(dialer.last_source)
    assert turns == [0, 1, 1, 2, 2]  # the second destination begins at the second address


def test_workers_share_what_the_kernel_picks_and_split_what_we_pick() -> None:
    kernel = dialers(workers=2)
    got = Counter(one.dial(0, 0) is not None for _ in range(10) for one in kernel)
    assert got == {True: 10, False: 10}
    own = dialers("balancer.source.ports=userspace", workers=2)
    ports: list[set[int]] = [set(), set()]
    for one, seen in zip(own, ports, strict=True):
        for _ in range(5):
            assert one.dial(0, 0) is not None
            seen.add(one.last_port)
        assert one.dial(0, 0) is None
    assert ports == [set(range(50_000, 50_005)), set(range(50_005, 50_010))]


def test_userspace_draws_the_ports_that_the_kernel_engine_draws() -> None:
    [dialer] = dialers("balancer.source.ports=userspace", "seed=5")
    drawn = []
    for _ in range(10):
        assert dialer.dial(0, 0) is not None
        drawn.append(dialer.last_port)
    # As `live/sources.py` and `live/port_modes.py` make it: one stream for the order and for draws.
    stream = pure_random(stream_key(5, "balancer", 0) >> 65, "balancer-ports", 0)
    free = RandomFreePorts(shuffled(usable_ports(PortRange(50_000, 50_009)), stream), stream)
    assert drawn == [free.take() for _ in range(10)]


def test_reserved_and_listening_ports_are_lost_to_the_kernels_choice_alone() -> None:
    reserved = "kernel.reserved_ports=[50000-50001]"
    [kernel] = dialers(reserved, held={50_005})
    assert sum(kernel.dial(0, 0) is not None for _ in range(11)) == 7
    [own] = dialers(reserved, "balancer.source.ports=userspace", held={50_005})
    assert sum(own.dial(0, 0) is not None for _ in range(11)) == 10
