"""Drawing again: against scipy's bootstrap, numpy's percentiles, and what an interval promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.measure.blocks import Blocks, Spread, Tally
from simulator.measure.redraw import (
    BLOCK_RESAMPLES,
    draws,
    quantiles,
    ratio_of_quantiles,
    ratio_of_runs,
    ratio_of_tallies,
)
from simulator.seeds import generator

if TYPE_CHECKING:
    from simulator.measure.blocks import Floats

COUNT = 20


def blocks(count: int = COUNT) -> Blocks:
    return Blocks(count=count, tallies={}, spreads={})


def tally(amount: Floats) -> Tally:
    return Tally(amount=np.asarray(amount, dtype=float))


def test_pairs_of_blocks_are_scipys_paired_bootstrap() -> None:
    rng = generator(1, "amounts")
    under = rng.poisson(100, COUNT).astype(float)
    over = under * rng.normal(1.2, 0.05, COUNT)
    drawn = draws(blocks(), blocks(), generator(2, "draws"), paired=True)
    found = ratio_of_tallies(tally(over), tally(under), drawn)
    wanted = stats.bootstrap(
        (over, under),
        lambda one, other, axis=-1: one.sum(axis) / other.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=5_000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert found == pytest.approx((wanted.low, wanted.high), abs=0.004)
    # The same blocks on both sides leave a ramp no part in it; drawn apart it would widen it.
    apart = draws(blocks(), blocks(), generator(2, "draws"), paired=False)
    wide = ratio_of_tallies(tally(over * np.arange(COUNT)), tally(under * np.arange(COUNT)), apart)
    near = ratio_of_tallies(tally(over * np.arange(COUNT)), tally(under * np.arange(COUNT)), drawn)
    assert wide is not None
    assert near is not None
    assert wide.high - wide.low > 5 * (near.high - near.low)


def test_runs_that_are_no_pairs_are_scipys_two_samples() -> None:
    rng = generator(4, "runs")
    over, under = rng.normal(110, 5, 9), rng.normal(100, 5, 7)
    found = ratio_of_runs(over.tolist(), under.tolist(), generator(5, "draws"))
    wanted = stats.bootstrap(
        (over, under),
        lambda one, other, axis=-1: np.median(one, axis) / np.median(other, axis),
        method="percentile",
        n_resamples=5_000,
        rng=np.random.default_rng(6),
    ).confidence_interval
    assert found == pytest.approx((wanted.low, wanted.high), abs=0.01)


@given(st.integers(0, 1 << 30), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_percentiles_of_a_draw_are_numpys_of_what_was_drawn(seed: int, share: float) -> None:
    rng = generator(seed, "histograms")
    values = np.unique(rng.integers(1, 10_000, 40)).astype(float)
    counts = rng.integers(0, 5, (6, len(values))).astype(float)
    drawn = draws(blocks(6), blocks(6), rng, paired=False)[0][:20]
    found = quantiles(Spread(values_ns=values, counts=counts), share, drawn)
    for weights, value in zip(drawn, found, strict=True):
        whole = np.repeat(values, (weights @ counts).astype(int))
        wanted = np.quantile(whole, share, method="inverted_cdf") if len(whole) else 0
        assert value == wanted


def test_percentiles_of_one_distribution_hold_1_about_as_often_as_promised() -> None:
    inside = 0
    for trial in range(100):
        rng = generator(trial, "coverage")
        sides = [rng.exponential(1e6, (COUNT, 200)).round(-3) for _ in range(2)]
        values = np.unique(np.concatenate(sides))
        spreads = [
            Spread(
                values_ns=values,
                counts=np.stack([np.isin(values, row) for row in side]).astype(float),
            )
            for side in sides
        ]
        drawn = draws(blocks(), blocks(), rng, paired=False)
        found = ratio_of_quantiles(spreads[0], spreads[1], 0.9, drawn)
        assert found is not None
        inside += found.holds(1.0)
    # 95 are promised; with twenty blocks the percentile interval is known to keep 90 and more.
    assert inside >= 88


def test_too_few_samples_tell_no_percentile_and_too_few_runs_no_interval() -> None:
    spread = Spread(values_ns=np.array([1.0, 2.0]), counts=np.full((COUNT, 2), 2.0))
    drawn = draws(blocks(), blocks(), generator(1), paired=True)
    assert ratio_of_quantiles(spread, spread, 0.5, drawn) == (1, 1)
    assert ratio_of_quantiles(spread, spread, 0.99, drawn) is None
    assert ratio_of_runs([1, 1, 1, 1], [1, 1, 1, 1, 1], generator(1)) is None


def test_nothing_below_the_line_gives_no_interval() -> None:
    drawn = draws(blocks(), blocks(), generator(1), paired=True)
    one = np.zeros(COUNT)
    one[3] = 5
    assert ratio_of_tallies(tally(np.ones(COUNT)), tally(one), drawn) is None
    empty = Spread(values_ns=np.empty(0), counts=np.empty((COUNT, 0)))
    assert not quantiles(empty, 0.5, drawn[0]).any()
    assert drawn[0].shape == (BLOCK_RESAMPLES, COUNT)


def test_an_amount_may_be_one_for_each_of_another() -> None:
    drawn = draws(blocks(), blocks(), generator(1), paired=True)
    served = np.arange(1.0, COUNT + 1)
    over = Tally(amount=3 * served, per=served)
    under = Tally(amount=2 * served, per=served)
    assert ratio_of_tallies(over, under, drawn) == pytest.approx((1.5, 1.5))


def test_pairs_need_as_many_blocks() -> None:
    with pytest.raises(ValueError, match="20 and 21 blocks"):
        draws(blocks(20), blocks(21), generator(1), paired=True)
