"""Shapes of a rate: inverses against quadrature, processes against their theory."""

from __future__ import annotations

from itertools import pairwise
from math import pi, sin
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from simulator.scenario.arrivals import Rate
from simulator.seeds import generator
from simulator.traffic.arrivals import even_counts, poisson_counts
from simulator.traffic.shapes import peak_per_s, sum_words, total, when, words

S = 10**9
ALPHA = 1e-3


def rate(**given: Any) -> Rate:  # noqa: ANN401 - values of a scenario
    return Rate.model_validate(given)


STEPS = rate(steps=[{"rate": "100/s", "for": "2s"}, {"rate": "900/s", "for": "1s"}])
BURSTS = rate(bursts={"rate": "1000/s", "on": "300ms", "off": "700ms"})
SINE = rate(sine={"mean": "500/s", "amplitude": "400/s", "period": "4s"})
DEEP = rate(sine={"mean": "500/s", "amplitude": "500/s", "period": "700ms"})
RAMP = rate(**{"from": "100/s", "to": "400/s"})


def momentary(shape: Rate, t: float) -> float:
    """The rate at a moment, straight from its definition."""
    if shape.steps is not None:
        end = 0.0
        for step in shape.steps:
            end += step.for_ns / S
            if t < end:
                return step.rate
        return shape.steps[-1].rate
    if shape.bursts is not None:
        one = shape.bursts
        return one.rate if t % ((one.on + one.off) / S) < one.on / S else 0.0
    if shape.sine is not None:
        one_s = shape.sine
        return one_s.mean + one_s.amplitude * sin(2 * pi * t * S / one_s.period)
    return 100 + 300 * t / 3


def asked_by(shape: Rate, t: float) -> float:
    """The integral of the rate up to a moment, by quadrature between its edges."""
    edges = [edge for edge in (0.3, 1.0, 1.3, 2.0, 2.3) if edge < t]
    points = [0.0, *edges, t]
    return sum(
        float(integrate.quad(lambda x: momentary(shape, x), low, high, limit=200)[0])
        for low, high in pairwise(points)
    )


@pytest.mark.parametrize("shape", [STEPS, BURSTS, SINE, DEEP, RAMP], ids=lambda one: one.shape)
def test_the_total_is_the_integral_of_the_rate(shape: Rate) -> None:
    assert total(shape, 3 * S) == pytest.approx(asked_by(shape, 3.0), rel=1e-6)
    assert max(momentary(shape, t) for t in np.linspace(0, 3, 3001)) <= peak_per_s(shape) + 1e-9


@pytest.mark.parametrize("shape", [STEPS, BURSTS, SINE, DEEP, RAMP], ids=lambda one: one.shape)
def test_even_arrivals_are_due_where_the_integral_is_whole(shape: Rate) -> None:
    due = when(shape, even_counts(total(shape, 3 * S)), 3 * S)
    assert len(due) == np.ceil(total(shape, 3 * S) * (1 - 1e-9))
    assert due[0] == 0
    assert (np.diff(due) >= 0).all()
    assert due[-1] < 3 * S
    for k in range(1, len(due), 97):
        assert asked_by(shape, due[k] / S) == pytest.approx(k, abs=3e-5), k


@pytest.mark.parametrize("shape", [STEPS, BURSTS, SINE, DEEP], ids=lambda one: one.shape)
def test_poisson_arrivals_are_a_unit_process_in_the_time_of_the_integral(shape: Rate) -> None:
    long = 3 * S
    due = when(shape, poisson_counts(total(shape, long), generator(3, "shape")), long)
    reached = np.array([asked_by(shape, t / S) for t in due[::5]])
    share = reached / total(shape, long)
    assert stats.kstest(share, "uniform").pvalue > ALPHA
    # Every fifth point of a unit process lies a gamma of shape five behind the one before.
    assert stats.kstest(np.diff(reached), "gamma", args=(5,)).pvalue > ALPHA


def test_bursts_ask_for_nothing_while_off_and_are_poisson_while_on() -> None:
    due = when(BURSTS, poisson_counts(total(BURSTS, 60 * S), generator(1, "bursts")), 60 * S)
    assert (due % S < 300_000_000).all()
    counts = np.bincount(due // S, minlength=60)
    # Index of dispersion: for a Poisson count, (n - 1) variance / mean is chi-square.
    statistic = counts.var(ddof=1) / counts.mean() * 59
    assert ALPHA < stats.chi2(59).cdf(statistic) < 1 - ALPHA


def test_a_phase_may_end_within_a_burst_or_a_pause() -> None:
    assert total(BURSTS, int(2.1 * S)) == pytest.approx(700)
    assert total(BURSTS, int(2.5 * S)) == pytest.approx(900)
    assert when(BURSTS, even_counts(700.0), int(2.1 * S))[-1] == 2_099_000_000


@given(
    st.floats(1, 5_000),
    st.floats(0.01, 1),
    st.integers(1_000, 20 * S),
    st.integers(1, 20 * S),
)
def test_any_sine_gives_ascending_times_whose_integral_is_the_count(
    mean: float, share: float, period: int, duration_ns: int
) -> None:
    swing = {"amplitude": f"{mean * share:.6f}/s", "period": f"{period}ns"}
    shape = rate(sine={"mean": f"{mean:.6f}/s", **swing})
    assert shape.sine is not None
    counts = even_counts(total(shape, duration_ns))[:2000]
    due = when(shape, counts, duration_ns)
    assert (np.diff(due) >= 0).all()
    assert due.min() >= 0
    assert due.max() < duration_ns
    sine, t = shape.sine, due / S
    angle = 2 * pi * (due % sine.period) / sine.period
    reached = sine.mean * t + sine.amplitude * sine.period / S / (2 * pi) * (1 - np.cos(angle))
    slack = 2 * peak_per_s(shape) * 2e-9 + 1e-9 * len(counts) + 1e-7
    assert np.abs(reached - counts).max() <= slack


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(1, 2_000)), min_size=1, max_size=6))
def test_steps_ask_in_each_step_for_what_it_says(steps: list[tuple[int, int]]) -> None:
    shape = rate(steps=[{"rate": f"{r}/s", "for": f"{ms}ms"} for r, ms in steps])
    long = sum(ms for _, ms in steps) * 1_000_000
    due = when(shape, even_counts(total(shape, long)), long)
    begin = 0
    for r, ms in steps:
        end = begin + ms * 1_000_000
        inside = np.count_nonzero((due >= begin) & (due < end))
        assert abs(inside - r * ms / 1000) <= 1
        begin = end


def test_rates_are_said_in_words_with_their_sums() -> None:
    assert words(STEPS) == "100/s for 2s then 900/s for 1s"
    assert sum_words(STEPS, 3 * S) == "100/s x 2s + 900/s x 1s"
    assert words(BURSTS) == "1,000/s for 300ms, nothing for 700ms"
    assert sum_words(BURSTS, 3 * S) == "1,000/s x 900ms on"
    assert words(SINE) == "500/s and 400/s up and down every 4s"
    assert words(RAMP) == "100/s to 400/s"
