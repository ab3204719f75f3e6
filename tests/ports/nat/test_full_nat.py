"""Each core has its part of every address, and no other."""

from __future__ import annotations

from dataclasses import replace

from simulator.ports.nat.flow import Flow, Shortage
from simulator.ports.nat.full_nat import FullNat, mixed
from simulator.ports.nat.presets import PRESETS
from simulator.ports.range import PortRange

RULE = replace(PRESETS["full-nat"], ports=PortRange(1025, 9024), cores=8)


def test_it_refuses_before_all_ports_are_in_use() -> None:
    """8,000 ports and 8 cores: chance fills one core's thousand before the others'."""
    nat = FullNat(RULE, 1)
    taken = 0
    for port in range(8_000):
        if nat.take(Flow(0, 1, port), 0) is None:
            break
        taken += 1
    assert nat.shortage is Shortage.PORTS
    fullest = [use.open for use in nat.uses()]
    assert max(fullest) == 1_000
    assert sum(fullest) == taken
    assert 6_500 < taken < 8_000


def test_one_core_has_them_all() -> None:
    nat = FullNat(replace(RULE, cores=1), 1)
    assert len({nat.take(Flow(0, 1, port), 0) for port in range(8_000)} - {None}) == 8_000
    assert nat.take(Flow(0, 1, 9_999), 0) is None


def test_a_port_goes_back_to_its_core() -> None:
    nat = FullNat(RULE, 1)
    flow = Flow(3, 1, 4000)
    grant = nat.take(flow, 0)
    assert grant is not None
    nat.give_back(flow, grant, 0, reset=True)
    nat.settle(RULE.after_reset_ns)
    assert all(use.open == use.resting == 0 for use in nat.uses())


def test_cores_get_even_shares_of_neighbouring_ports() -> None:
    """Chi-square of 8 cores over 8,000 ports, far from the 0.1 % tail of 7 degrees of freedom."""
    counts = [0] * 8
    for port in range(8_000):
        counts[mixed(12345 ^ (7 << 16 | port)) % 8] += 1
    assert sum((count - 1_000) ** 2 / 1_000 for count in counts) < 24.3


def test_mixing_loses_nothing() -> None:
    assert len({mixed(value) for value in range(20_000)}) == 20_000
