"""Growth laws against data made from them, and against scipy's own fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.theory.growth import CONSTANT, FALLING, LINEAR, SLOWER, UNKNOWN, WORSE, fit

WORK = [1_000.0, 10_000.0, 100_000.0, 1_000_000.0]


@pytest.mark.parametrize(
    ("exponent", "word"),
    [
        (0.0, CONSTANT),
        (-0.1, CONSTANT),
        (-0.5, FALLING),
        (0.1, CONSTANT),
        (0.5, SLOWER),
        (1.0, LINEAR),
        (1.1, LINEAR),
        (1.5, WORSE),
        (2.0, WORSE),
    ],
)
def test_a_law_is_found_in_data_made_from_it(exponent: float, word: str) -> None:
    law = fit(WORK, [3.0 * work**exponent for work in WORK])
    assert law.exponent == pytest.approx(exponent, abs=1e-9)
    assert law.word == word


def test_n_log_n_is_linear_for_those_who_pay() -> None:
    assert fit(WORK, [work * math.log(work) for work in WORK]).word == LINEAR


@given(
    st.lists(
        st.tuples(st.floats(1, 1e9), st.floats(1e-6, 1e9)),
        min_size=2,
        max_size=20,
        unique_by=lambda point: round(math.log(point[0]), 3),
    )
)
def test_the_line_is_that_of_scipy(points: list[tuple[float, float]]) -> None:
    work, cost = zip(*points, strict=True)
    law = fit(work, cost)
    theirs = stats.linregress(np.log(work), np.log(cost))
    assert law.exponent == pytest.approx(theirs.slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("work", "cost"),
    [([], []), ([5.0], [1.0]), ([5.0, 5.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, 3.0])],
)
def test_too_few_points_say_nothing(work: list[float], cost: list[float]) -> None:
    law = fit(work, cost)
    assert law.exponent is None
    assert law.word == UNKNOWN
    assert "too few points" in law.sentence("cost", "work")


def test_sentences_name_cost_work_and_law() -> None:
    assert fit(WORK, WORK).sentence("memory", "connections") == (
        "memory grows linearly with connections (exponent 1.00)"
    )
    assert "stays constant" in fit(WORK, [7.0] * 4).sentence("memory", "connections")
    assert "memory falls while" in fit(WORK, WORK[::-1]).sentence("memory", "connections")
    assert "worse than linear" in fit(WORK, [w**2 for w in WORK]).sentence("time", "rows")
