"""Times drawn from a duration have its distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simulator.scenario.distributions import Duration
from simulator.scenario.fields import MAX_DURATION_NS
from simulator.seeds import generator
from simulator.traffic.lifetimes import draw_ns


def test_a_constant_duration_is_itself_and_draws_nothing() -> None:
    stream = generator(1, "constant")
    drawn = draw_ns(Duration.model_validate("3ms"), 5, stream)
    assert drawn.tolist() == [3_000_000] * 5
    assert stream.random() == generator(1, "constant").random()


def test_an_exponential_duration_is_exponential_with_its_mean() -> None:
    drawn = draw_ns(
        Duration.model_validate({"exponential": "20ms"}), 50_000, generator(1, "exponential")
    )
    assert drawn.dtype == np.int64
    assert drawn.min() >= 0
    assert stats.kstest(drawn, "expon", args=(0, 20e6)).pvalue > 1e-3


def test_a_lognormal_duration_has_its_median_and_spread() -> None:
    duration = Duration.model_validate({"lognormal": {"median": "5ms", "sigma": 0.8}})
    drawn = draw_ns(duration, 50_000, generator(1, "lognormal"))
    assert drawn.dtype == np.int64
    assert stats.kstest(drawn, "lognorm", args=(0.8, 0, 5e6)).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.9, 1.0, 1.5, 3.0])
def test_a_pareto_duration_is_the_truncated_law(alpha: float) -> None:
    shape = {"scale": "2ms", "alpha": alpha, "cap": "200ms"}
    drawn = draw_ns(
        Duration.model_validate({"pareto": shape}), 50_000, generator(1, "pareto", str(alpha))
    )
    assert drawn.min() >= 2_000_000
    assert drawn.max() <= 200_000_000
    assert stats.kstest(drawn / 2e6, "truncpareto", args=(alpha, 100.0)).pvalue > 1e-3


def test_a_bimodal_duration_has_two_values_in_their_shares() -> None:
    shape = {"fast": "1ms", "slow": "100ms", "share": 0.02}
    drawn = draw_ns(Duration.model_validate({"bimodal": shape}), 50_000, generator(1, "bimodal"))
    assert set(drawn.tolist()) == {1_000_000, 100_000_000}
    slow = int(np.count_nonzero(drawn == 100_000_000))
    assert stats.binomtest(slow, 50_000, 0.02).pvalue > 1e-3


def test_no_draw_is_longer_than_a_scenario_may_last() -> None:
    duration = Duration.model_validate({"lognormal": {"median": "30min", "sigma": 3.0}})
    drawn = draw_ns(duration, 1000, generator(1, "longest"))
    assert drawn.max() == MAX_DURATION_NS
    assert drawn.min() >= 0
