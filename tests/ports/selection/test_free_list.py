"""Free ports: none is given twice, none is lost, and random means every one alike."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.ports.range import PortRange
from simulator.ports.selection.free_list import (
    NO_PORT_LEFT,
    FreePorts,
    RandomFreePorts,
    SequentialFreePorts,
    shuffled,
    usable_ports,
)
from simulator.seeds import pure_random

TEN = PortRange(1_000, 1_009)


def free_list(kind: str, ports: PortRange, seed: int = 1) -> FreePorts:
    order = usable_ports(ports)
    if kind == "sequential":
        return SequentialFreePorts(order)
    rng = pure_random(seed, "ports")
    return RandomFreePorts(shuffled(order, rng), rng)


@pytest.mark.parametrize("kind", ["random", "sequential"])
@given(choices=st.lists(st.integers(0, 20), max_size=200))
def test_a_port_is_out_once_or_free_once(kind: str, choices: list[int]) -> None:
    ports = free_list(kind, TEN)
    out: list[int] = []
    for choice in choices:
        if choice < len(out):
            ports.give_back(out.pop(choice))
        else:
            port = ports.take()
            if len(out) == 10:
                assert port == NO_PORT_LEFT
            else:
                assert port in TEN
                out.append(port)
        assert len(set(out)) == len(out)
        assert len(ports) + len(out) == 10


def test_sequential_takes_the_port_that_was_free_for_longest() -> None:
    ports = free_list("sequential", TEN)
    first = [ports.take() for _ in range(4)]
    assert first == [1_000, 1_001, 1_002, 1_003]
    for port in (1_002, 1_000):
        ports.give_back(port)
    assert [ports.take() for _ in range(8)] == [*range(1_004, 1_010), 1_002, 1_000]
    assert ports.take() == NO_PORT_LEFT


def test_a_random_pick_is_uniform_over_all_free_ports_used_before_or_not() -> None:
    # After four of ten were taken and two came back, eight are free: six untouched, two returned.
    counts: Counter[int] = Counter()
    rounds = 16_000
    for seed in range(rounds):
        ports = free_list("random", TEN, seed)
        taken = [ports.take() for _ in range(4)]
        ports.give_back(taken[0])
        ports.give_back(taken[2])
        counts[ports.take()] += 1
    # By symmetry each of the ten ports is next in a tenth of the rounds.
    assert stats.chisquare([counts[port] for port in range(1_000, 1_010)]).pvalue > 0.001


def test_returned_and_untouched_ports_are_equally_likely() -> None:
    came_back = 0
    rounds = 8_000
    for seed in range(rounds):
        ports = free_list("random", TEN, seed)
        taken = [ports.take() for _ in range(5)]
        ports.give_back(taken[1])
        came_back += ports.take() == taken[1]
    # Five untouched and one returned: a sixth. Three standard deviations.
    assert abs(came_back - rounds / 6) < 3 * (rounds * 5 / 36) ** 0.5


def test_lists_with_a_shared_order_begin_at_different_ports() -> None:
    rng = pure_random(1, "ports")
    order = shuffled(usable_ports(PortRange(20_000, 29_999)), rng)
    first = {RandomFreePorts(order, rng).take() for _ in range(200)}
    # 200 draws of 10,000 without memory repeat about twice (birthday, 200**2 / 20,000).
    assert len(first) > 190


def test_reserved_ports_are_left_out() -> None:
    reserved = (PortRange(1_002, 1_003), PortRange(1_009, 1_020))
    assert list(usable_ports(TEN, reserved)) == [1_000, 1_001, *range(1_004, 1_009)]


def test_the_same_seed_gives_the_same_ports() -> None:
    one, other = free_list("random", TEN, 5), free_list("random", TEN, 5)
    assert [one.take() for _ in range(10)] == [other.take() for _ in range(10)]
