"""The kernel's picks in the model: which parity comes first, what is passed over, what it costs."""

from __future__ import annotations

import pytest

from simulator.model.agenda import Agenda
from simulator.model.directory import HeldPorts
from simulator.model.kernel_ports import KernelPorts
from simulator.ports.range import PortRange
from simulator.ports.selection.free_list import NO_PORT_LEFT
from tests.support.scenarios import small

PORTS = PortRange(50_000, 50_199)


def kernel(*changes: str, held: HeldPorts | None = None) -> KernelPorts:
    asked = small("kernel.port_range=50000-50199", *changes)
    return KernelPorts(asked, Agenda(), held or HeldPorts())


@pytest.mark.parametrize(("mode", "first"), [("kernel", 0), ("late-bind", 0), ("early-bind", 1)])
def test_one_parity_comes_first_and_the_other_is_paid_for(mode: str, first: int) -> None:
    free = kernel().toward(mode, PORTS, "here there")
    found = [(free.take(), free.probes) for _ in range(len(PORTS))]
    assert {port % 2 for port, _ in found[:100]} == {first}
    assert {port % 2 for port, _ in found[100:]} == {1 - first}
    # Behind the half, each walk looks at the 100 busy ports of the parity that comes first.
    assert min(probes for _, probes in found[100:]) == 101
    assert (free.take(), free.probes) == (NO_PORT_LEFT, 200)
    free.give_back(50_007)
    assert free.take() == 50_007


def test_a_socket_range_walks_over_every_port() -> None:
    free = kernel().toward("socket-range", PORTS, "here there")
    probes = []
    for _ in range(len(PORTS)):
        assert free.take()
        probes.append(free.probes)
    assert max(probes[:150]) < 100


def test_ports_of_listeners_are_passed_over_while_they_are_held() -> None:
    held = HeldPorts([50_000, 50_004])
    free = kernel("kernel.reserved_ports=[50010-50199]", held=held).toward("kernel", PORTS, "a b")
    assert {free.take() for _ in range(8)} == set(range(50_000, 50_010)) - held.ports
    assert free.take() == NO_PORT_LEFT
    held.discard(50_004)
    assert len(free) == 0  # it is told when a port is asked for
    assert free.take() == 50_004


def test_lists_of_one_range_share_the_kernels_table_and_not_their_ports() -> None:
    made = kernel()
    one, other = (made.toward("kernel", PORTS, name) for name in ("a b", "a c"))
    assert [one.take() for _ in range(200)].count(NO_PORT_LEFT) == 0
    assert other.take()
    assert len(other) == 199


def test_the_same_seed_picks_the_same() -> None:
    runs = []
    for seed in (1, 1, 2):
        free = kernel(f"seed={seed}").toward("kernel", PORTS, "a b")
        runs.append([free.take() for _ in range(50)])
    assert runs[0] == runs[1] != runs[2]
