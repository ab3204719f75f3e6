"""Weighted least connections: counts in proportion to weights, fair among equals."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from simulator.balancing.load import Load
from simulator.balancing.policies.weighted_least_connections import WeightedLeastConnections
from simulator.balancing.weighted_load import WeightedLoad
from simulator.balancing.weights import Weights
from simulator.seeds import pure_random


def test_connections_that_stay_are_shared_by_weight() -> None:
    load = WeightedLoad(Weights((4, 2, 1)))
    policy = WeightedLeastConnections(pure_random(3))
    for backend in range(3):
        load.insert(backend)
    for _ in range(700):
        load.opened(policy.pick([0, 1, 2], load, ()))
    assert load.open == [400, 200, 100]


def test_idle_equals_are_drawn_fairly() -> None:
    load = WeightedLoad(Weights((2, 1)))
    policy = WeightedLeastConnections(pure_random(4))
    for backend in range(6):
        load.insert(backend)
    counts = Counter(policy.pick(range(6), load, ()) for _ in range(6_000))
    assert set(counts) == {0, 2, 4}, "1/2 is less than 1/1"
    assert stats.chisquare([counts[one] for one in (0, 2, 4)]).pvalue > 0.001


def test_a_plain_load_is_refused() -> None:
    with pytest.raises(TypeError, match="WeightedLoad"):
        WeightedLeastConnections(pure_random(1)).pick([0], Load(), ())
