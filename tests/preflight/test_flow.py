"""A scenario as a flow: the same counts and times as its plan, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.preflight.flow import STEPS, flow_of
from simulator.preflight.hops import open_ns
from simulator.scenario.trace_file import Trace
from simulator.traffic.plan import make_plan
from tests.support.scenarios import small

PHASES = """traffic=[
  {name: rise, for: 2s, arrivals: {constant: {from: 100/s, to: 900/s}},
   lifetime: {exponential: 80ms}},
  {name: held, for: 1s, hold: {connections: 300, rate: 1000/s}},
  {name: flat, for: 500ms, arrivals: {poisson: 2000/s}, lifetime: 10ms}]"""


def test_each_phase_comes_when_it_is_due() -> None:
    scenario = small(PHASES)
    flow = flow_of(scenario, {})
    plan = make_plan(scenario)
    due = plan.columns["due_ns"]
    counted, _ = np.histogram(due, bins=STEPS, range=(0, scenario.duration_ns))
    assert np.abs(np.cumsum(flow.offered) - np.cumsum(counted)).max() < 4 * 1000**0.5
    assert flow.offered.sum() == pytest.approx(1000 + 300 + 1000)
    assert flow.asked_variance == pytest.approx(1000)
    assert flow.ends_s == (2.0, 3.0, 3.5)
    assert np.bincount(flow.kinds) / STEPS * 3.5 == pytest.approx([2, 1, 0.5], abs=0.001)


def test_connections_stay_as_long_as_the_plans() -> None:
    scenario = small(PHASES)
    flow = flow_of(scenario, {})
    plan = make_plan(scenario)
    opened, phase = open_ns(scenario, plan), plan.columns["phase"]
    for index in (0, 2):
        stay = flow.stays[index]
        mean = float((stay.steps * stay.shares).sum()) * flow.step_s
        assert mean == pytest.approx(opened[phase == index].mean() / 1e9, rel=0.1)
    held = flow.stays[1].until
    assert held is not None
    assert held * flow.step_s == pytest.approx(3.0, abs=0.001)
    assert flow.mean_open_s == pytest.approx(opened.mean() / 1e9, rel=0.06)


def test_held_connections_that_the_backend_ends_do_not_stay() -> None:
    flow = flow_of(small(PHASES, "balancer.close=backend"), {})
    assert flow.stays[1].until is None


def test_a_trace_comes_as_it_was_written() -> None:
    due = [0, 100_000_000, 500_000_000]
    trace = Trace(due_ns=due, lifetime_ns=due, request_bytes=None, response_bytes=None)
    scenario = small("traffic.0.arrivals={trace: a.csv}")
    flow = flow_of(scenario, {"a.csv": trace})
    assert flow.offered.sum() == 3
    assert np.flatnonzero(flow.offered) / STEPS == pytest.approx([0, 0.1, 0.5], abs=0.001)
    assert flow.mean_open_s == pytest.approx(0.2, rel=0.01)


def test_users_come_as_on_an_ideal_network() -> None:
    flow = flow_of(small("traffic=[{name: u, for: 2s, users: {count: 10, think: 100ms}}]"), {})
    assert flow.offered.sum() == pytest.approx(200)
    assert flow.asked_peak_per_s == pytest.approx(100)
    crowd = "traffic=[{name: u, for: 2s, users: {count: 100000, think: 1ms}}]"
    assert flow_of(small(crowd), {}).asked_peak_per_s == pytest.approx(1e8)
