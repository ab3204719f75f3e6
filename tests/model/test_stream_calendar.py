"""Fates by calendar and by ring are those of arrays, compiled or not, in any parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.model import stream_loops
from simulator.model.stream_calendar import FatesByCalendar, FatesInTurn, fast_loops
from simulator.seeds import generator
from simulator.theory.erlang import erlang_b
from tests.support.losses import CUTS, ROWS, TURNS, held_at, in_parts, served

if TYPE_CHECKING:
    from collections.abc import Callable

IS_FAST = pytest.mark.parametrize("fast", [False, True], ids=["plain", "compiled"])


def loop(name: str, *, fast: bool) -> Callable[..., int]:
    loops = fast_loops() if fast else stream_loops
    if loops is None:
        pytest.skip("numba is not installed")
    found: Callable[..., int] = getattr(loops, name)
    return found


@IS_FAST
@given(
    rows=ROWS,
    turn=TURNS,
    tuples=st.integers(0, 6),
    cuts=CUTS,
    rate=st.sampled_from([1e7, 3e8, 1e11]),
    hold_ns=st.sampled_from([1.0, 50.0]),
)
def test_a_calendar_of_any_cut_serves_like_arrays(
    rows: list[tuple[int, int]],
    turn: list[int],
    tuples: int,
    cuts: list[int],
    rate: float,
    hold_ns: float,
    *,
    fast: bool,
) -> None:
    due = np.sort(np.array([one for one, _ in rows], dtype=np.int64))
    hold = np.array([one for _, one in rows], dtype=np.int64)
    groups = np.array(turn, dtype=np.int64)
    fates = FatesByCalendar(
        groups,
        tuples,
        rate_per_s=rate,
        least_ns=int(hold.min()),
        hold_ns=hold_ns,
        loop=loop("take", fast=fast),
    )
    found = in_parts(fates, due, hold, cuts)
    assert found == served(due, hold, groups, tuples)
    now = int(due[-1])
    assert fates.in_use(now).tolist() == held_at(due, hold, groups, found, now)


@IS_FAST
@given(rows=ROWS, turn=TURNS, tuples=st.integers(0, 6), cuts=CUTS)
def test_a_ring_serves_like_arrays(
    rows: list[tuple[int, int]], turn: list[int], tuples: int, cuts: list[int], *, fast: bool
) -> None:
    due = np.sort(np.array([one for one, _ in rows], dtype=np.int64))
    hold = np.array([rows[0][1]], dtype=np.int64)
    groups = np.array(turn, dtype=np.int64)
    fates = FatesInTurn(groups, tuples, loop=loop("take_in_turn", fast=fast))
    found = in_parts(fates, due, hold, cuts)
    assert found == served(due, hold, groups, tuples)
    now = int(due[-1])
    assert fates.in_use(now).tolist() == held_at(due, hold, groups, found, now)


@IS_FAST
def test_room_is_made_when_more_is_held_than_was_thought(*, fast: bool) -> None:
    count = 9_000 if fast else 4_200
    due, hold = np.arange(count), np.full(count, 20_000)
    turn = np.zeros(1, dtype=np.int64)
    calendar = FatesByCalendar(
        turn, count, rate_per_s=1.0, least_ns=20_000, hold_ns=1.0, loop=loop("take", fast=fast)
    )
    ring = FatesInTurn(turn, count, loop=loop("take_in_turn", fast=fast))
    for fates in (calendar, ring):
        assert fates.take(due, hold, 0).all()
        assert not fates.take(due[:1] + count, hold[:1], count).any()
        again = fates.take(due[:500] + 20_000, hold[:1], count + 1)
        assert again.all(), "each comes back in the moment of the next"


@IS_FAST
def test_losses_are_erlang_b(*, fast: bool) -> None:
    draw = generator(1, "test", "calendar")
    count, tuples, offered = (200_000 if fast else 20_000), 40, 45.0
    due = np.cumsum(draw.exponential(1e9 / offered, count)).astype(np.int64)
    hold = (3e8 + draw.exponential(7e8, count)).astype(np.int64)
    fates = FatesByCalendar(
        np.zeros(1, dtype=np.int64),
        tuples,
        rate_per_s=offered,
        least_ns=300_000_000,
        hold_ns=1e9,
        loop=loop("take", fast=fast),
    )
    lost = 1 - float(fates.take(due, hold, 0).mean())
    assert lost == pytest.approx(erlang_b(tuples, offered), rel=0.03 if fast else 0.1)
