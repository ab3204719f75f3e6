"""The integral of each shape of rate against the due times that the plan draws from it."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.traffic.curves import asked_by
from simulator.traffic.plan import make_plan
from tests.support.scenarios import small

SHAPES = {
    "steady": "arrivals={constant: 2000/s}",
    "ramp": "arrivals={constant: {from: 100/s, to: 3000/s}}",
    "falling": "arrivals={constant: {from: 3000/s, to: 100/s}}",
    "steps": "arrivals={constant: {steps: [{rate: 500/s, for: 700ms},{rate: 3000/s, for: 300ms}]}}",
    "bursts": "arrivals={constant: {bursts: {rate: 2000/s, on: 90ms, off: 30ms}}}",
    "sine": "arrivals={constant: {sine: {mean: 2000/s, amplitude: 1900/s, period: 300ms}}}",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_as_many_are_due_as_the_integral_says(shape: str) -> None:
    scenario = small(f"traffic.0.{SHAPES[shape]}")
    due = make_plan(scenario).columns["due_ns"]
    times = np.linspace(0, scenario.traffic[0].for_ns, 41)
    counted = np.searchsorted(due, times, side="left")
    assert asked_by(scenario.traffic[0], times, {}) == pytest.approx(counted, abs=1.01)


@pytest.mark.parametrize("ramp", ["0ms", "400ms"])
def test_held_connections_come_one_by_one_and_then_no_more(ramp: str) -> None:
    hold = "{connections: 500, rate: 1000/s, ramp: " + ramp + "}"
    text = f"traffic=[{{name: held, for: 1s, hold: {hold}}}]"
    scenario = small(text)
    due = make_plan(scenario).columns["due_ns"]
    times = np.linspace(1, scenario.traffic[0].for_ns, 50)
    counted = np.searchsorted(due, times, side="right")
    assert asked_by(scenario.traffic[0], times, {}) == pytest.approx(counted, abs=1.01)
    assert asked_by(scenario.traffic[0], times[-1:], {}) == 500


def test_a_closed_loop_has_no_rate_of_its_own() -> None:
    scenario = small("traffic=[{name: loop, for: 1s, users: {count: 3, think: 100ms}}]")
    with pytest.raises(ValueError, match="closed loop"):
        asked_by(scenario.traffic[0], np.zeros(1), {})
