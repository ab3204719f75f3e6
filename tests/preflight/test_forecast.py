"""The course of a forecast: its bins add up, and its tuples follow Little's law in time."""

from __future__ import annotations

import pytest

from simulator.preflight.forecast import POINTS
from simulator.preflight.predict import predict
from tests.support.scenarios import small

WALLED = (
    "backends={count: 1, ports: random, range: 20000-29999}",
    "kernel={port_range: 50000-50299, time_wait: 300ms}",
    "traffic.0.arrivals={constant: 1000/s}",
    "traffic.0.lifetime=100ms",
)


def test_the_bins_add_up_to_the_counts() -> None:
    forecast = predict(small(*WALLED))
    course = forecast.course
    assert len(course.t_s) == len(course.asked) == len(course.failed) == POINTS
    assert course.t_s[-1] == pytest.approx(1.0)
    assert sum(course.asked) == pytest.approx(forecast.asked)
    assert sum(course.failed) == pytest.approx(forecast.failed)


def test_tuples_are_open_first_and_then_in_time_wait() -> None:
    course = predict(small(*WALLED)).course
    at = {round(t_s, 3): index for index, t_s in enumerate(course.t_s)}
    used, opened = course.in_use["balancer-backend"], course.established["balancer-backend"]
    # 1,000/s: after 125 ms all that came are there, those of the last 100 ms open.
    assert used[at[0.125]] == pytest.approx(125, abs=1)
    assert opened[at[0.125]] == pytest.approx(100, abs=1)
    # All 300 are used after 300 ms; those of the last 75 ms before the wall are open at 325 ms.
    assert used[at[0.375]] == pytest.approx(300, abs=1)
    assert opened[at[0.375]] == pytest.approx(25, abs=1)


def test_few_steps_give_few_points() -> None:
    assert len(predict(small(*WALLED), steps=10).course.t_s) == 10
