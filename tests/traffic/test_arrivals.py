"""Arrivals follow their rate: exactly where they are constant, in distribution where random."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from simulator.scenario.phases import Hold
from simulator.seeds import generator
from simulator.traffic.arrivals import (
    constant_arrivals,
    expected_count,
    paced,
    poisson_arrivals,
    when_reached,
)

S = 10**9
RATES = st.floats(0.01, 5_000)
DURATIONS = st.integers(1, 20 * S)
#: Chance of a false alarm in each test of a distribution; the seeds are fixed, so it is drawn once.
ALPHA = 1e-3


@pytest.mark.parametrize(
    ("rate", "seconds", "count"), [(100, 10, 1000), (2500, 8, 20_000), (1 / 3, 3, 1), (0.1, 1, 1)]
)
def test_a_constant_rate_gives_its_exact_count_and_spacing(
    rate: float, seconds: int, count: int
) -> None:
    due = constant_arrivals(rate, rate, seconds * S)
    assert len(due) == count
    assert due[0] == 0
    assert np.abs(np.diff(due) - S / rate).max(initial=0) <= 1


def test_a_constant_ramp_has_the_integral_of_its_rate() -> None:
    due = constant_arrivals(100, 4000, 10 * S)
    assert len(due) == (100 + 4000) / 2 * 10
    # The k-th connection is due when the rate's integral, by quadrature, has reached k.
    for k in (1, 10, 1000, 12_345, 20_499):
        reached, _ = integrate.quad(lambda t: 100 + 390 * t, 0, due[k] / S)
        assert reached == pytest.approx(k, abs=1e-5)


@given(RATES, RATES, DURATIONS)
def test_constant_arrivals_are_in_order_within_the_phase_and_follow_the_integral(
    first: float, last: float, duration_ns: int
) -> None:
    due = constant_arrivals(first, last, duration_ns)
    expected = expected_count(first, last, duration_ns)
    assert len(due) in {math.ceil(expected), math.ceil(expected * (1 - 1e-9))}
    assert (np.diff(due) >= 0).all()
    assert due.min() == 0
    assert due.max() < duration_ns
    seconds = duration_ns / S
    times = due / S
    reached = first * times + (last - first) * times**2 / (2 * seconds)
    # A time is a whole ns, in which the integral grows by the rate.
    slack = max(first, last) * 2e-9 + 1e-9 * expected
    assert np.abs(reached - np.arange(len(due))).max() <= slack + 1e-9


@given(RATES, RATES, DURATIONS, st.integers(0, 2**32))
def test_poisson_arrivals_are_in_order_within_the_phase(
    first: float, last: float, duration_ns: int, seed: int
) -> None:
    due = poisson_arrivals(first, last, duration_ns, generator(seed, "test"))
    assert (np.diff(due) >= 0).all()
    assert due.min(initial=0) >= 0
    assert due.max(initial=0) < duration_ns


def test_a_steady_poisson_process_has_exponential_gaps() -> None:
    due = poisson_arrivals(500, 500, 60 * S, generator(1, "steady"))
    gaps = np.diff(due) / S
    assert stats.kstest(gaps, "expon", args=(0, 1 / 500)).pvalue > ALPHA
    # Neighbouring gaps are independent.
    assert stats.pearsonr(gaps[:-1], gaps[1:]).pvalue > ALPHA


@pytest.mark.parametrize(("first", "last"), [(100, 4000), (4000, 100), (1, 2000)])
def test_a_poisson_ramp_is_a_unit_process_in_the_time_of_its_integral(
    first: int, last: int
) -> None:
    seconds = 10
    due = poisson_arrivals(first, last, seconds * S, generator(2, "ramp", first)) / S
    reached = first * due + (last - first) * due**2 / (2 * seconds)
    assert stats.kstest(np.diff(reached), "expon").pvalue > ALPHA
    # Given their number, the points are uniform in the time of the integral.
    total = expected_count(first, last, seconds * S)
    assert stats.kstest(reached / total, "uniform").pvalue > ALPHA


def test_counts_in_equal_stretches_are_poisson() -> None:
    counts = np.array(
        [len(poisson_arrivals(40, 60, S, generator(seed, "counts"))) for seed in range(2000)]
    )
    assert counts.mean() == pytest.approx(50, abs=4 * math.sqrt(50 / 2000))
    edges = stats.poisson(50).ppf(np.linspace(0, 1, 11)[1:-1])
    observed = np.bincount(np.searchsorted(edges, counts), minlength=10)
    probability = np.diff(np.concatenate([[0], stats.poisson(50).cdf(edges), [1]]))
    assert stats.chisquare(observed, probability * len(counts)).pvalue > ALPHA


def test_a_long_process_is_drawn_to_its_end() -> None:
    due = poisson_arrivals(1e-3, 1e-3, 3_600 * S, generator(7, "rare"))
    many = poisson_arrivals(1000, 1000, 1000 * S, generator(7, "many"))
    assert len(due) <= 20
    assert len(many) == pytest.approx(1e6, abs=4e3)
    assert many[-1] > 999.9 * S


@given(st.integers(1, 5000), st.floats(0.1, 1e6))
def test_pacing_spaces_evenly_from_the_start(count: int, rate: float) -> None:
    due = paced(count, rate)
    assert len(due) == count
    assert due[0] == 0
    assert np.abs(due - np.arange(count) * S / rate).max() <= 1


@given(
    count=st.integers(1, 5000),
    rate=st.floats(0.5, 1e5),
    ramp_ns=st.integers(1_000_000, 100 * S),
)
def test_a_paced_ramp_asks_for_the_integral_of_a_rising_rate(
    count: int, rate: float, ramp_ns: int
) -> None:
    due = paced(count, rate, ramp_ns)
    assert len(due) == count
    assert due[0] == 0
    assert (np.diff(due) >= 0).all()
    # The integral of min(1, t / ramp) rate, in closed form, reaches k when the k-th is due, less
    # what comes within the nanosecond that is cut off.
    t = due / S
    ramp_s = ramp_ns / S
    asked = rate * np.where(t < ramp_s, t**2 / (2 * ramp_s), t - ramp_s / 2)
    assert (np.arange(count) - asked <= rate * 2 / S + 1e-6 * (1 + asked)).all()
    assert (asked - np.arange(count) <= 1e-6 * (1 + asked)).all()


@given(count=st.integers(1, 5000), rate=st.floats(0.5, 1e5), ramp_ns=st.integers(0, 100 * S))
def test_a_scenario_knows_how_long_a_paced_ramp_takes_and_how_fast_it_gets(
    count: int, rate: float, ramp_ns: int
) -> None:
    hold = Hold.model_construct(connections=count, rate=rate, ramp=ramp_ns)
    due = paced(count + 1, rate, ramp_ns)
    # When one more would be due, all of these have been opened.
    assert hold.opening_ns == pytest.approx(due[-1], rel=1e-6, abs=3)
    assert hold.peak_per_s <= rate * (1 + 1e-9)
    if due[-1] >= ramp_ns:
        assert hold.peak_per_s == pytest.approx(rate, rel=1e-6)
    else:
        assert hold.peak_per_s == pytest.approx(rate * due[-1] / ramp_ns, rel=1e-3)


def test_the_inverse_of_a_falling_rate_ends_at_the_end() -> None:
    ends = np.array([0.0, 5.0, 10.0])
    assert when_reached(ends, 19.0, 1.0, S)[-1] == S - 1
    assert when_reached(ends, 10.0, 10.0, S).tolist() == [0, S // 2, S - 1]
