"""Precision within a run, against theory and scipy: what neighbours are worth, what is a trend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from simulator.measure.intervals import quantile_ranks
from simulator.measure.precision import (
    BATCHES,
    asks_for_the_same,
    effective_size,
    mann_kendall,
    quantile_intervals,
    trends,
)
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from simulator.seeds import generator
from tests.support.runs import MS, RunBuilder, scenario

if TYPE_CHECKING:
    from pathlib import Path


def steady_run(answers_ns: list[int], rate: object = "1000/s") -> RunBuilder:
    """Connections a millisecond apart with these times to their answers."""
    seconds = max(1, len(answers_ns) // 1000)
    traffic = [{"name": "flat", "for": f"{seconds}s", "arrivals": {"constant": rate}}]
    run = RunBuilder(scenario=scenario(traffic=traffic))
    run.planned([i * MS for i in range(len(answers_ns))])
    for row, answer in enumerate(answers_ns):
        run.ok(row, answer=answer, close=answer + 1)
    return run


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.9])
def test_neighbours_that_resemble_each_other_are_worth_less(alike: float) -> None:
    """For AR(1), n samples are worth n (1 - r) / (1 + r) for the mean (Law, section 4.4)."""
    worth = []
    for number in range(40):
        noise = generator(number, "noise").normal(size=20_000)
        values = signal.lfilter([1.0], [1.0, -alike], noise)
        told = effective_size(values)
        assert told is not None
        worth.append(told)
    wanted = 20_000 * (1 - alike) / (1 + alike)
    # Twenty batches tell a variance to about a third; forty of these tell their median to 10 %.
    # What is above the count of samples is cut off, so equality holds below it only.
    assert float(np.median(worth)) == pytest.approx(wanted, rel=0.15)


def test_too_few_or_equal_values() -> None:
    assert effective_size(np.arange(100)) is None
    assert effective_size(np.full(1000, 7)) == 1000


def test_a_percentile_of_independent_times_is_bounded_by_its_ranks() -> None:
    values = generator(9, "times").exponential(1e6, 50_000).astype(np.int64)
    (found,) = quantile_intervals(values, [0.99])
    ranks = quantile_ranks(50_000, 0.99)
    assert found is not None
    assert ranks is not None
    ordered = np.sort(values)
    wide = [float(ordered[rank - 1]) for rank in ranks]
    # By batch means the samples may seem worth a little less than their number, never more.
    assert found.low <= wide[0] * 1.001
    assert found.high >= wide[1]
    assert found.high - found.low < 2 * (wide[1] - wide[0])


def test_intervals_hold_the_true_percentile_as_often_as_promised() -> None:
    true = -np.log(0.1) * 1e6
    hits = 0
    for number in range(200):
        values = generator(number, "cover").exponential(1e6, 4_000).astype(np.int64)
        (found,) = quantile_intervals(values, [0.9])
        assert found is not None
        hits += found.low <= true <= found.high
    # Binomial(200, 0.95) is below 181 once in 300; histograms round by a thousandth.
    assert hits >= 178


def test_a_percentile_that_is_not_told_has_no_interval() -> None:
    values = np.arange(5000, dtype=np.int64)
    assert quantile_intervals(values, [0.999]) == [None]
    assert quantile_intervals(values[:100], [0.5]) == [None]


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=40))
def test_the_score_is_kendalls(values: list[int]) -> None:
    score, z = mann_kendall(values)
    pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
    assert score == sum((b > a) - (b < a) for a, b in pairs)
    if len(set(values)) == len(values) > 2 and score:
        wanted = stats.kendalltau(range(len(values)), values, method="asymptotic")
        assert score == pytest.approx(wanted.statistic * len(pairs))
        # scipy's normal has no correction for continuity: one step of the score.
        spread = abs(score) / stats.norm.isf(wanted.pvalue / 2)
        assert abs(z) == pytest.approx((abs(score) - 1) / spread, rel=1e-6)


def test_a_run_that_gets_slower_is_doubted_and_stays_valid(tmp_path: Path) -> None:
    noise = generator(2, "noise").uniform(0.8, 1.2, 2000)
    run = steady_run([int((1 + row / 1000) * MS * n) for row, n in enumerate(noise)])
    ((name, ratio),) = trends(run.run(tmp_path / "a"))
    assert name == "flat"
    # Medians of the first and the last third: 1 + 1/3 and 1 + 5/3 of a millisecond.
    assert ratio == pytest.approx((1 + 5 / 3) / (1 + 1 / 3), rel=0.1)
    summary = summarize(run.run(tmp_path / "b"))
    (doubt,) = [one for one in summary["doubts"] if one["code"] == "not-stationary"]
    assert "flat" in doubt["message"]
    assert not doubt["invalid"]


def test_a_rate_that_changes_claims_nothing(tmp_path: Path) -> None:
    slower = [int((1 + row / 1000) * MS) for row in range(2000)]
    run = steady_run(slower, {"from": "500/s", "to": "1500/s"})
    assert trends(run.run(tmp_path)) == []
    assert not asks_for_the_same(run.scenario.traffic[0])


def test_noise_and_small_trends_are_no_trend(tmp_path: Path) -> None:
    noise = generator(3, "noise").lognormal(0, 1, 2000)
    assert trends(steady_run([int(MS * n) for n in noise]).run(tmp_path / "a")) == []
    small = [int(MS * (1 + row / 20_000)) for row in range(2000)]  # by a tenth
    assert trends(steady_run(small).run(tmp_path / "b")) == []
    assert trends(steady_run([MS] * (BATCHES * 20)).run(tmp_path / "c")) == []  # too few


def test_it_is_in_the_summary(tmp_path: Path) -> None:
    values = generator(4, "x").exponential(MS, 2000)
    run = steady_run([int(value) + MS for value in values])
    run.failed(0, Call.RECV, Ending.EOF)
    told = summarize(run.run(tmp_path))
    low, high = told["precision"]["latency_ns"]["response"]["p50"]
    assert low <= told["latency_ns"]["response"]["p50"] <= high
    failed = told["precision"]["failed"]
    wanted = stats.binomtest(1, 2000).proportion_ci(method="wilson")
    assert failed["interval"] == pytest.approx([wanted.low, wanted.high])
    assert (failed["share"], failed["at_most"]) == (1 / 2000, None)
