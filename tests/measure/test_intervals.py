"""Intervals against scipy, against exact theory, and against what they promise: coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.measure.intervals import (
    CONFIDENCE,
    FEWEST_RUNS,
    Interval,
    bootstrap_median,
    bootstrap_ratio,
    most_of_none,
    quantile_ranks,
    wilson,
)
from simulator.seeds import generator


@settings(deadline=None)
@given(st.integers(1, 5_000_000), st.floats(0, 1))
def test_wilson_is_scipys(tries: int, share: float) -> None:
    hits = round(share * tries)
    wanted = stats.binomtest(hits, tries).proportion_ci(CONFIDENCE, method="wilson")
    assert wilson(hits, tries) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-12)


def test_nothing_tried_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert most_of_none(0) == 1.0


def test_none_of_many_still_allows_three_in_them() -> None:
    assert most_of_none(1000) == 0.003
    assert most_of_none(2) == 1.0
    # The exact bound solves (1 - p)^n = 5 %.
    assert most_of_none(10_000) == pytest.approx(1 - 0.05 ** (1 / 10_000), rel=0.002)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 200_000), st.sampled_from([0.001, 0.5, 0.9, 0.99, 0.999]))
def test_ranks_are_those_of_the_binomial_distribution(count: int, share: float) -> None:
    low = int(stats.binom.ppf(0.025, count, share))
    high = int(stats.binom.ppf(0.975, count, share)) + 1
    assert quantile_ranks(count, share) == ((low, high) if low >= 1 and high <= count else None)


def test_ranks_cover_the_quantile_as_often_as_promised() -> None:
    for count, share in ((20, 0.5), (500, 0.9), (5_000_000, 0.99)):
        ranks = quantile_ranks(count, share)
        assert ranks is not None
        inside = stats.binom.cdf(ranks[1] - 1, count, share) - stats.binom.cdf(
            ranks[0] - 1, count, share
        )
        assert inside >= CONFIDENCE
    assert quantile_ranks(100, 0.999) is None
    assert quantile_ranks(0, 0.5) is None


@pytest.mark.parametrize("runs", [5, 7, 11])
def test_the_bootstrap_of_a_median_meets_its_exact_distribution(runs: int) -> None:
    """For odd n the median of a resample is at or below value k when most draws are."""
    values = [10.0 * place for place in range(1, runs + 1)]
    below = [float(stats.binom.sf(runs // 2, runs, place / runs)) for place in range(1, runs + 1)]
    low = values[next(i for i, share in enumerate(below) if share >= 0.025)]
    high = values[next(i for i, share in enumerate(below) if share >= 0.975)]
    assert bootstrap_median(values, generator(1, "t")) == (low, high)


def test_the_bootstrap_is_scipys_and_seeded() -> None:
    values = list(generator(3, "values").lognormal(size=25))
    mine = bootstrap_median(values, generator(1, "a"))
    assert mine == bootstrap_median(values, generator(1, "a"))
    theirs = stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=10_000, rng=generator(1, "b")
    ).confidence_interval
    assert mine == pytest.approx((theirs.low, theirs.high), rel=0.05)


def test_too_few_runs_give_no_interval() -> None:
    few = [1.0] * (FEWEST_RUNS - 1)
    assert bootstrap_median(few, generator(1)) is None
    assert bootstrap_ratio(few, few, generator(1)) is None


def test_a_ratio_is_of_pairs() -> None:
    """Runs that differ tenfold among each other, but always twofold within a pair."""
    under = [1.0, 10.0, 3.0, 7.0, 100.0, 20.0]
    over = [2 * value for value in under]
    assert bootstrap_ratio(over, under, generator(1)) == pytest.approx((2.0, 2.0))
    with pytest.raises(ValueError, match="no pairs"):
        bootstrap_ratio([1.0], [1.0, 2.0], generator(1))


def test_no_ratio_where_below_may_be_nothing() -> None:
    assert bootstrap_ratio([1.0] * 5, [0.0, 0.0, 1.0, 1.0, 1.0], generator(1)) is None


def test_an_interval_holds_its_ends() -> None:
    interval = Interval(0.9, 1.1)
    assert interval.holds(0.9)
    assert interval.holds(1.1)
    assert not interval.holds(1.2)
