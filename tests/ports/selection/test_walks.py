"""Walks: every port once where that is promised, every order alike where it is random."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.ports.range import PortRange
from simulator.ports.selection.walks import (
    LARGEST_INCREMENT,
    RandomSteps,
    permanent_candidates,
    random_candidates,
    redraws,
)
from simulator.seeds import pure_random

small_ranges = st.tuples(st.integers(1, 65000), st.integers(0, 300)).map(
    lambda one: PortRange(one[0], one[0] + one[1])
)


@given(ports=small_ranges, seed=st.integers(0, 1000))
def test_random_candidates_are_a_permutation_of_the_range(ports: PortRange, seed: int) -> None:
    found = list(random_candidates(ports, pure_random(seed, "test")))
    assert sorted(found) == list(range(ports.first, ports.last + 1))


def test_all_orders_of_a_small_range_are_equally_likely() -> None:
    drawn = 24 * 500
    stream = pure_random(20_260, "orders")
    ports = PortRange(50_000, 50_003)
    orders = Counter(tuple(random_candidates(ports, stream)) for _ in range(drawn))
    assert len(orders) == 24
    assert stats.chisquare(list(orders.values())).pvalue > 1e-3


def test_every_port_is_equally_likely_at_every_turn() -> None:
    stream = pure_random(20_261, "turns")
    ports = PortRange(49_152, 49_171)
    counts = [Counter[int]() for _ in range(20)]
    for _ in range(4_000):
        for turn, port in enumerate(random_candidates(ports, stream)):
            counts[turn][port] += 1
    for turn in (0, 1, 10, 19):
        assert stats.chisquare(list(counts[turn].values())).pvalue > 1e-4, turn


@given(ports=small_ranges, index=st.integers(0, 100_000))
def test_permanent_candidates_begin_at_ones_own_port_and_wrap(ports: PortRange, index: int) -> None:
    found = list(permanent_candidates(ports, index))
    assert found[0] == ports.first + index % len(ports)
    assert sorted(found) == list(range(ports.first, ports.last + 1))
    assert all((after - before) % len(ports) == 1 % len(ports) for before, after in pairwise(found))


def test_redraws_are_independent_and_miss_a_share_of_e() -> None:
    ports = PortRange(10_000, 19_999)
    found = set(redraws(ports, pure_random(5, "redraws").randrange))
    # A port is missed by all of N draws with (1 - 1/N)**N = 0.368; sd of the share is 0.0048/1.4.
    assert 1 - len(found) / len(ports) == pytest.approx(0.368, abs=0.02)


@pytest.mark.parametrize(("size", "largest"), [(50, 500), (20_000, 500), (20_000, 7), (1, 500)])
def test_random_steps_go_at_most_so_far_and_go_on_where_they_stopped(
    size: int, largest: int
) -> None:
    walk = RandomSteps(PortRange(10_000, 9_999 + size), pure_random(5, "steps").randrange, largest)
    found = [*walk.candidates(), *walk.candidates()]
    assert len(found) == 2 * size
    steps = [(after - before) % size for before, after in pairwise(found)]
    assert all(1 <= (step or size) <= min(largest, size) for step in steps)
    assert LARGEST_INCREMENT == 500
