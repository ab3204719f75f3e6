"""Most budget: goes where tuples are left, whatever is open."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from simulator.balancing.load import Load
from simulator.balancing.policies.most_budget import MostBudget
from simulator.balancing.tuple_use import TupleUse
from simulator.seeds import pure_random


def use(hold_ns: int, clock: list[int], count: int = 3) -> TupleUse:
    load = TupleUse(100, hold_ns, lambda: clock[0])
    for backend in range(count):
        load.insert(backend)
    return load


def test_closed_connections_still_count_while_their_tuples_are_held() -> None:
    clock = [0]
    load, policy = use(1000, clock, 2), MostBudget(pure_random(1))
    load.opened(0)
    load.opened(1)
    load.opened(0)
    load.closed(0)
    load.closed(0)  # nothing open toward 0 and one toward 1, but two tuples held against one
    assert {policy.pick([0, 1], load, ()) for _ in range(20)} == {1}
    clock[0] = 1000
    assert {policy.pick([0, 1], load, ()) for _ in range(20)} == {0}


def test_equals_are_drawn_fairly() -> None:
    load, policy = use(0, [0]), MostBudget(pure_random(2))
    counts = Counter(policy.pick([0, 1, 2], load, ()) for _ in range(6_000))
    assert stats.chisquare([counts[one] for one in range(3)]).pvalue > 0.001


def test_the_budget_of_all_is_spent_evenly_to_the_last_tuple() -> None:
    load, policy = use(10**9, [0]), MostBudget(pure_random(3))
    for number in range(300):
        picked = policy.pick([0, 1, 2], load, ())
        load.opened(picked)
        if number % 2:
            load.closed(picked)
    assert [load.remaining(one) for one in range(3)] == [0, 0, 0]


def test_a_load_without_tuples_is_refused() -> None:
    with pytest.raises(TypeError, match="TupleUse"):
        MostBudget(pure_random(1)).pick([0], Load(), ())
