"""Distributions know their mean: against scipy, and against what is drawn from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.scenario.distributions import Bimodal, Duration, Lognormal, Pareto


def test_the_mean_of_a_lognormal_time() -> None:
    made = Lognormal.model_validate({"median": "4ms", "sigma": 0.7})
    assert made.mean_ns == pytest.approx(stats.lognorm(0.7, scale=4e6).mean(), abs=1)


@given(st.floats(0.2, 8), st.integers(2, 5000))
def test_the_mean_of_a_truncated_pareto_time(alpha: float, times: int) -> None:
    made = Pareto.model_validate({"scale": "1ms", "alpha": alpha, "cap": f"{times}ms"})
    expected = stats.truncpareto(alpha, float(times), scale=1e6).expect(lambda x: x)
    assert made.mean_ns == pytest.approx(expected, rel=1e-3)
    assert 1_000_000 <= made.mean_ns <= times * 1_000_000


def test_the_mean_of_a_pareto_time_has_no_gap_at_one() -> None:
    means = [
        Pareto.model_validate({"scale": "1ms", "alpha": alpha, "cap": "1s"}).mean_ns
        for alpha in (0.999999, 1.0, 1.000001)
    ]
    assert means[0] == pytest.approx(means[1], rel=1e-4)
    assert means[2] == pytest.approx(means[1], rel=1e-4)


def test_the_mean_of_a_bimodal_time() -> None:
    made = Bimodal.model_validate({"fast": "1ms", "slow": "101ms", "share": 0.1})
    assert made.mean_ns == 11_000_000


def test_a_duration_has_the_mean_of_its_distribution() -> None:
    shape = {"fast": "1ms", "slow": "3ms", "share": 0.5}
    assert Duration.model_validate({"bimodal": shape}).mean_ns == 2_000_000


@given(st.integers(0, 3600))
def test_a_plain_time_is_a_constant_duration(seconds: int) -> None:
    short = Duration.model_validate(f"{seconds}s")
    assert short == Duration.model_validate({"constant": f"{seconds}s"})
    assert short.mean_ns == seconds * 10**9
