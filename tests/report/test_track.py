"""The course of a hop: no peak is lost, the ends are never painted over, memory is bounded."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.report.track import STEPS, Track, sparkline

BUDGET = 1000


@given(st.lists(st.integers(0, BUDGET), min_size=1, max_size=3000), st.integers(4, 80))
def test_the_greatest_value_is_in_the_course_whatever_its_length(
    used: list[int], width: int
) -> None:
    track = Track()
    for at, one in enumerate(used):
        track.note(at / 10, one, BUDGET)
    shares = track.shares(width)
    assert 1 <= len(shares) <= width
    assert max(shares) == max(used) / BUDGET
    assert all(0 <= share <= 1 for share in shares)


@given(st.lists(st.integers(0, BUDGET), max_size=50))
def test_only_none_is_blank_and_only_all_is_full(used: list[int]) -> None:
    line = sparkline([one / BUDGET for one in used])
    assert len(line) == len(used)
    for one, step in zip(used, line, strict=True):
        assert (step == STEPS[0]) == (one == 0)
        assert (step == STEPS[-1]) == (one == BUDGET)


def test_steps_rise_with_the_share() -> None:
    line = sparkline([at / 100 for at in range(101)])
    assert list(line) == sorted(line)
    assert set(line) == set(STEPS)


def rising(per_s: int, seconds: float = 4.0) -> Track:
    """A track of a use that grows along a line."""
    track = Track()
    for at in range(int(seconds * 10)):
        track.note(at / 10, int(per_s * at / 10), BUDGET)
    return track


@pytest.mark.parametrize(
    ("per_s", "words"),
    [(0, "1,000 left"), (200, "220 left, wall in 1.1s"), (20, "922 left, wall in 46s"), (2, None)],
)
def test_what_is_left_and_when_it_will_be_gone(per_s: int, words: str | None) -> None:
    track = rising(per_s)
    assert track.outlook() == (words or f"{track.left:,} left")


def test_a_rise_that_has_gone_flat_is_no_trend() -> None:
    track = Track()
    for at in range(30):
        track.note(at / 10, min(300, 60 * at), BUDGET)
    assert track.outlook() == "700 left"


def test_at_the_wall_it_says_so() -> None:
    track = rising(100, 10.1)
    assert (track.left, track.wall_s) == (0, 0.0)
    assert track.outlook() == "none left: at the wall"


def test_nothing_seen_yet_promises_nothing() -> None:
    assert (Track().wall_s, Track().shares(10)) == (inf, [])
