"""The loops themselves: the most at once, and the same bits from either way of running them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.model import stream_loops
from simulator.model.stream_calendar import FatesByCalendar, FatesInTurn, fast_loops
from simulator.seeds import generator


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=40))
def test_the_most_at_once_is_counted_at_every_beginning(rows: list[tuple[int, int]]) -> None:
    begins = sorted(begin for begin, _ in rows)
    ends = sorted(begin + length for begin, (_, length) in zip(begins, rows, strict=True))
    at_each = [
        sum(one <= now for one in begins) - sum(one <= now for one in ends) for now in begins
    ]
    found = stream_loops.most_open(
        np.array(begins, dtype=np.int64), np.array(ends, dtype=np.int64), 0
    )
    assert found == max(at_each, default=0)


def test_who_was_there_before_is_counted_too() -> None:
    begins, ends = np.array([10, 20]), np.array([15, 20, 30, 40])
    assert stream_loops.most_open(begins, ends, 2) == 3


def test_compiled_loops_leave_the_same_state_to_the_last_bit() -> None:
    loops = fast_loops()
    draw = generator(5, "test", "loops")
    due = np.sort(draw.integers(0, 1_000_000, 5_000))
    hold = draw.integers(500, 30_000, 5_000)
    turn = np.arange(3)
    states = []
    for way in (stream_loops, loops or stream_loops):
        calendar = FatesByCalendar(
            turn, 20, rate_per_s=5e6, least_ns=500, hold_ns=15_000.0, loop=way.take
        )
        ring = FatesInTurn(turn, 20, loop=way.take_in_turn)
        taken = [calendar.take(due, hold, 0), ring.take(due, hold[:1], 0)]
        states.append(
            [
                *(*taken, calendar._back, calendar._tail, calendar._before, calendar._hours),
                *(calendar._in_use, calendar._cursor, ring._back, ring._owner, ring._cursor),
            ]
        )
    assert 0 < states[0][0].mean() < 1
    for plain, fast in zip(*states, strict=True):
        assert np.array_equal(plain, fast)
