"""The trend's slope and error are those of scipy; what cannot be said is infinite."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy.stats import linregress

from simulator.seeds import generator
from simulator.theory.trend import wall_by_trend_s


@pytest.mark.parametrize("slope", [3.0, 20.0, 300.0])
def test_the_wall_is_where_the_least_squares_line_meets_the_budget(slope: float) -> None:
    t_s = np.arange(0, 5, 0.1)
    in_use = 100 + slope * t_s + generator(7, "trend").normal(0, 3, len(t_s))
    line = linregress(t_s, in_use)
    assert line.slope > 3 * line.stderr
    wanted = (5000 - (line.intercept + line.slope * t_s[-1])) / line.slope
    assert wall_by_trend_s(t_s.tolist(), in_use.tolist(), 5000) == pytest.approx(wanted)


def test_noise_is_no_trend() -> None:
    t_s = np.arange(0, 5, 0.1)
    for seed in range(50):
        in_use = 500 + generator(seed, "noise").normal(0, 20, len(t_s))
        line = linregress(t_s, in_use)
        found = wall_by_trend_s(t_s.tolist(), in_use.tolist(), 1000)
        assert (found == inf) == (line.slope <= 3 * line.stderr)


@pytest.mark.parametrize(
    ("in_use", "wanted"),
    [
        ([], inf),
        ([1, 2, 3, 4], inf),
        ([5, 4, 3, 2, 1], inf),
        ([7, 7, 7, 7, 7], inf),
        ([1, 2, 3, 4, 5], 5.0),
        ([0, 5, 10], 0.0),
        ([9, 9, 9, 9, 12], 0.0),
    ],
)
def test_small_cases_with_a_budget_of_ten(in_use: list[float], wanted: float) -> None:
    assert wall_by_trend_s([float(t) for t in range(len(in_use))], in_use, 10) == wanted


def test_moments_that_are_all_the_same_make_no_line() -> None:
    assert wall_by_trend_s([1.0] * 6, [1, 2, 3, 4, 5, 6], 10) == inf
