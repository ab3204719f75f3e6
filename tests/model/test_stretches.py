"""The loss system by arrays, held to one event at a time, to Erlang B, and to someone else's."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.model.stretches import FOR_EVER, NOBODY, held_at, serve, stretches_needed
from simulator.seeds import generator


def one_by_one(arrivals: list[int], holds: list[int], tuples: int) -> list[bool]:
    """The same, event by event."""
    busy: list[int] = []
    taken = []
    for arrival, hold in zip(arrivals, holds, strict=True):
        while busy and busy[0] <= arrival:
            heappop(busy)
        taken.append(len(busy) < tuples)
        if taken[-1]:
            heappush(busy, arrival + hold)
    return taken


@given(
    rows=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=80),
    tuples=st.integers(0, 8),
)
def test_stretches_are_events_one_by_one(rows: list[tuple[int, int]], tuples: int) -> None:
    arrivals = sorted(arrival for arrival, _ in rows)
    holds = [hold for _, hold in rows]
    found = serve(np.array(arrivals, np.int64), np.array(holds, np.int64), tuples)
    assert found.taken.tolist() == one_by_one(arrivals, holds, tuples)
    heirs = [int(one) for one in found.before[found.taken] if one != NOBODY]
    assert len(heirs) == len(set(heirs)), "nobody's tuple is taken twice"
    for row in np.flatnonzero(found.taken).tolist():
        owner = int(found.before[row])
        if owner != NOBODY:
            assert found.taken[owner]
            assert arrivals[owner] + holds[owner] <= arrivals[row]


@pytest.mark.parametrize("shape", ["constant", "exponential"])
def test_losses_are_erlang_b_whatever_the_shape_of_the_hold(shape: str) -> None:
    draw = generator(1, "test", shape)
    tuples, offered, count = 40, 45.0, 200_000
    mean = 1_000_000
    arrivals = np.cumsum(draw.exponential(mean / offered, count)).astype(np.int64)
    if shape == "constant":
        holds = np.full(count, mean)
    else:  # at least a tenth, so that stretches are long
        holds = (0.1 * mean + draw.exponential(0.9 * mean, count)).astype(np.int64)
    lost = 1 - serve(arrivals, holds, tuples).taken.mean()
    # Erlang B from Poisson: P(N = c) / P(N <= c).
    expected = stats.poisson.pmf(tuples, offered) / stats.poisson.cdf(tuples, offered)
    assert lost == pytest.approx(expected, rel=0.03)


def test_simpy_loses_the_same() -> None:
    simpy = pytest.importorskip("simpy")
    draw = generator(2, "test", "simpy")
    count, tuples = 5_000, 10
    arrivals = np.cumsum(draw.exponential(100.0, count)).astype(np.int64)
    holds = (200 + draw.exponential(900.0, count)).astype(np.int64)
    world = simpy.Environment()
    desk = simpy.Resource(world, capacity=tuples)
    taken = [False] * count

    def hold(request: object, length: int) -> object:
        yield world.timeout(length)
        desk.release(request)

    def come() -> object:
        for row in range(count):
            yield world.timeout(int(arrivals[row]) - world.now)
            if desk.count < tuples:
                taken[row] = True
                world.process(hold(desk.request(), int(holds[row])))

    world.process(come())
    world.run()
    ours = serve(arrivals, holds, tuples).taken
    # At one and the same nanosecond SimPy may let the newcomer in first.
    assert np.count_nonzero(ours != np.array(taken)) <= 5


def test_who_never_gives_back_leaves_nothing_for_later() -> None:
    arrivals = np.arange(10, dtype=np.int64)
    found = serve(arrivals, np.full(10, FOR_EVER), 4)
    assert np.flatnonzero(found.taken).tolist() == [0, 1, 2, 3]


def test_nobody_comes() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert len(serve(none, none, 5).taken) == 0


def test_stretches_are_as_long_as_the_shortest_hold() -> None:
    assert stretches_needed(1000, np.array([100, 700])) == 11


def test_intervals_hold_from_their_beginning_to_before_their_end() -> None:
    begins, ends = np.array([0, 5]), np.array([10, 6])
    assert held_at(begins, ends, np.array([0, 5, 6, 10])).tolist() == [1, 2, 1, 0]
