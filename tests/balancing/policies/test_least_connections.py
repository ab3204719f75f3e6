"""Least connections: never a busier one while a less busy one is there; ties drawn fairly."""

from __future__ import annotations

from collections import Counter
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.balancing.load import Load, RankedLoad
from simulator.balancing.policies.least_connections import LeastConnections
from simulator.balancing.policies.policy import NOBODY
from simulator.seeds import pure_random


def ranked(counts: list[int]) -> RankedLoad:
    load = RankedLoad()
    for number, count in enumerate(counts):
        load.insert(number)
        for _ in range(count):
            load.opened(number)
    return load


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.sets(st.integers(0, 11)))
def test_no_wanted_backend_has_fewer_connections_than_the_one_picked(
    counts: list[int], exclude: set[int]
) -> None:
    policy = LeastConnections(pure_random(1, "least"))
    picked = policy.pick(range(len(counts)), ranked(counts), exclude)
    wanted = set(range(len(counts))) - exclude
    if not wanted:
        assert picked == NOBODY
    else:
        assert picked in wanted
        assert counts[picked] == min(counts[one] for one in wanted)


def test_equals_are_drawn_fairly() -> None:
    policy = LeastConnections(pure_random(5, "least"))
    load = ranked([1, 0, 0, 2, 0])
    counts = Counter(policy.pick(range(5), load, ()) for _ in range(9_000))
    assert set(counts) == {1, 2, 4}
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


def test_a_pick_does_not_look_at_every_backend() -> None:
    def picks_s(backends: int) -> float:
        load = ranked([1] * backends)
        policy = LeastConnections(pure_random(1, "least"))
        eligible = range(backends)
        times = []
        for _ in range(5):
            began = perf_counter()
            for _ in range(300):
                picked = policy.pick(eligible, load, ())
                load.opened(picked)
                load.closed(picked)
            times.append(perf_counter() - began)
        return min(times)

    # A search through all would take 400 times as long.
    assert picks_s(16_000) < 20 * picks_s(40)


def test_a_load_without_ranking_is_refused() -> None:
    with pytest.raises(TypeError, match="RankedLoad"):
        LeastConnections(pure_random(1)).pick([0], Load(), ())
