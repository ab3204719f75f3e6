"""Smooth weighted round robin: exact shares, spread as evenly as the paper's example."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.load import Load
from simulator.balancing.policies.weighted_round_robin import WeightedRoundRobin
from simulator.balancing.weights import Weights


def test_it_is_the_published_sequence() -> None:
    policy = WeightedRoundRobin(Weights((5, 1, 1)))
    picks = [policy.pick([0, 1, 2], Load(), ()) for _ in range(7)]
    assert picks == [0, 0, 1, 0, 2, 0, 0]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 20))
def test_every_round_holds_each_backend_as_often_as_its_weight(
    cycle: list[int], start: int
) -> None:
    policy = WeightedRoundRobin(Weights(cycle), start)
    members = list(range(len(cycle)))
    for _ in range(3):
        counts = Counter(policy.pick(members, Load(), ()) for _ in range(sum(cycle)))
        assert [counts[one] for one in members] == cycle


@pytest.mark.parametrize("exclude", [{0}, {0, 1}])
def test_who_is_left_out_leaves_the_shares_of_the_others(exclude: set[int]) -> None:
    policy = WeightedRoundRobin(Weights((4, 3, 2)))
    counts = Counter(policy.pick([0, 1, 2], Load(), exclude) for _ in range(50))
    assert not counts.keys() & exclude
    assert counts[2] == (20 if exclude == {0} else 50)


def test_members_that_left_are_forgotten() -> None:
    policy = WeightedRoundRobin(Weights())
    for number in range(100):
        policy.pick([number, number + 1], Load(), ())
    assert len(policy._credit) <= 5
