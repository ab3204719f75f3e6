"""Fates in parts by arrays are the fates of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.model.stream_fates import FatesByArrays
from tests.support.losses import CUTS, ROWS, TURNS, held_at, in_parts, served


@given(rows=ROWS, turn=TURNS, tuples=st.integers(0, 6), alike=st.booleans(), cuts=CUTS)
def test_parts_are_served_like_the_whole(
    rows: list[tuple[int, int]], turn: list[int], tuples: int, *, alike: bool, cuts: list[int]
) -> None:
    due = np.sort(np.array([one for one, _ in rows], dtype=np.int64))
    hold = np.array([one for _, one in rows][: 1 if alike else None], dtype=np.int64)
    groups = np.array(turn, dtype=np.int64)
    fates = FatesByArrays(groups, tuples)
    found = in_parts(fates, due, hold, cuts)
    assert found == served(due, hold, groups, tuples)
    now = int(due[-1])
    assert fates.in_use(now).tolist() == held_at(due, hold, groups, found, now)


def test_memory_is_that_of_what_is_held() -> None:
    fates = FatesByArrays(np.zeros(1, dtype=np.int64), 100)
    for first in range(0, 100_000, 1000):
        due = np.arange(first, first + 1000)
        assert fates.take(due, np.array([50]), first).all()
    [group] = fates._groups
    assert sum(map(len, group._blocks)) <= 100
    assert fates.in_use(99_999).tolist() == [50]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_decide_is_no_trouble(count: int) -> None:
    fates = FatesByArrays(np.array([0, 1]), 1)
    due = np.zeros(count, dtype=np.int64)
    assert fates.take(due, due + 1, 0).tolist() == [True] * count
