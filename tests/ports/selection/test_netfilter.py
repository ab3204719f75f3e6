"""Linux NAT: 248 tries in rounds, and what keeping the port saves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from simulator.ports.range import PortRange
from simulator.ports.selection.netfilter import FIRST_ROUND, NatPorts
from simulator.ports.selection.selector import NO_PORT, Asked, Pick
from simulator.seeds import pure_random

PORTS = PortRange(1_024, 65_535)
SERVER = Asked("server", wanted=40_000)
ALL = range(1_024, 65_536)


def test_the_port_is_kept_while_it_can_be() -> None:
    made = NatPorts(PORTS, 1)
    assert made.pick(SERVER, ()) == Pick(40_000, 1)
    moved = made.pick(SERVER, {40_000})
    assert moved.port not in (40_000, NO_PORT)
    assert moved.probes == 2
    assert NatPorts(PORTS, 1, preserve=False).pick(SERVER, ()).port != 40_000
    assert NatPorts(PortRange(2_000, 2_099), 1).pick(SERVER, ()).port in PortRange(2_000, 2_099)


def test_rounds_of_128_64_32_16_and_8_neighbours_are_all() -> None:
    found = list(NatPorts(PORTS, 1).candidates(SERVER))
    assert len(found) == 128 + 64 + 32 + 16 + 8 == 248
    breaks = [turn for turn, (a, b) in enumerate(pairwise(found), 1) if b != a + 1]
    assert breaks == [128, 192, 224, 240]
    assert NatPorts(PORTS, 1, preserve=False).pick(SERVER, ALL) == Pick(NO_PORT, 248)
    assert NatPorts(PORTS, 1).pick(SERVER, ALL) == Pick(NO_PORT, 249)


@pytest.mark.parametrize("size", [1, 5, 64, FIRST_ROUND])
def test_a_small_range_is_walked_whole_once(size: int) -> None:
    ports = PortRange(50_000, 49_999 + size)
    for seed in range(20):
        found = list(NatPorts(ports, seed).candidates(SERVER))
        assert len(found) == size
        # Sizes that divide 65,536 cannot be upset by the overflow of the place.
        assert size == 5 or len(set(found)) == size


def test_with_a_range_nearly_full_at_random_it_fails_as_often_as_248_draws_do() -> None:
    # u = 0.99, and each try meets another port: u**248 = 8.3 %. Five sets of free ports.
    failed = 0
    for seed in range(5):
        free = set(pure_random(seed, "free").sample(ALL, len(ALL) // 100))
        busy = set(ALL) - free
        made = NatPorts(PORTS, seed, preserve=False)
        failed += sum(made.pick(SERVER, busy).port == NO_PORT for _ in range(1_000))
    assert failed / 5_000 == pytest.approx(0.99**248, abs=0.02)
