"""Load ranked by weight: always those that a look at all backends would find."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.weighted_load import WeightedLoad
from simulator.balancing.weights import Weights


@given(
    cycle=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    steps=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=80),
    exclude=st.sets(st.integers(0, 7), max_size=4),
)
def test_the_least_are_those_that_a_full_look_finds(
    cycle: list[int], steps: list[tuple[int, int]], exclude: set[int]
) -> None:
    weights = Weights(cycle)
    load, members = WeightedLoad(weights), set()
    for backend in range(8):
        load.insert(backend)
        members.add(backend)
    for backend, what in steps:
        if what == 0:
            load.remove(backend)
            members.discard(backend)
        elif what == 1:
            load.insert(backend)
            members.add(backend)
        elif what == 2 and load.open[backend]:
            load.closed(backend)
        else:
            load.opened(backend)
    costs = {one: Fraction(load.open[one] + 1, weights[one]) for one in members - exclude}
    least = min(costs.values(), default=None)
    assert sorted(load.least(exclude)) == sorted(one for one in costs if costs[one] == least)
