"""Times drawn from a duration have its distribution."""

from __future__ import annotations

import numpy as np
from scipy import stats

from simulator.scenario.schema import Duration
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
