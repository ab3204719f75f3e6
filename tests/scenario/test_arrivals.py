"""The grammar of `arrivals`: shapes of a rate, traces by name, and words for what is wrong."""

from __future__ import annotations

import pytest

from simulator.scenario.load import resolved
from simulator.scenario.schema import Scenario
from tests.support.scenarios import SMALL, complaints, small

STEPS = "{steps: [{rate: 5/s, for: 400ms}, {rate: 50/s, for: 600ms}]}"
BURSTS = "{bursts: {rate: 100/s, on: 10ms, off: 90ms}}"
SINE = "{sine: {mean: 10/s, amplitude: 5/s, period: 500ms}}"


@pytest.mark.parametrize("spacing", ["constant", "poisson"])
@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("ramp", "5/s"),
        ("ramp", "{from: 1/s, to: 9/s}"),
        ("steps", STEPS),
        ("bursts", BURSTS),
        ("sine", SINE),
    ],
)
def test_each_shape_goes_with_each_spacing_and_reads_back(
    spacing: str, shape: str, value: str
) -> None:
    scenario = small(f"traffic.0.arrivals={{{spacing}: {value}}}")
    arrivals = scenario.traffic[0].arrivals
    assert arrivals is not None
    assert arrivals.rate is not None
    assert arrivals.rate.shape == shape
    assert Scenario.model_validate(resolved(scenario)) == scenario


def test_one_shape_takes_the_place_of_another() -> None:
    first = small(
        "traffic.0.arrivals.constant.to=9/s", f"traffic.0.arrivals.constant.sine={SINE[7:-1]}"
    )
    second = small(
        f"traffic.0.arrivals.constant={SINE}",
        "traffic.0.arrivals.constant.bursts={rate: 1/s, on: 1s, off: 1s}",
        "traffic.0.arrivals.trace=a.csv",
    )
    arrivals = second.traffic[0].arrivals
    assert first.traffic[0].arrivals is not None
    assert first.traffic[0].arrivals.rate is not None
    assert first.traffic[0].arrivals.rate.shape == "sine"
    assert arrivals is not None
    assert arrivals.trace == "a.csv"
    assert arrivals.rate is None


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ("{constant: {from: 1/s}}", "constant.to", "is missing beside from; give `to`"),
        ("{constant: {to: 1/s}}", "constant.from", "is missing beside to; give `from`"),
        ("{constant: {}}", "constant", "gives no rate"),
        ("{constant: 5}", "constant", "needs a unit"),
        (
            "{poisson: {from: 1/s, to: 2/s, sine: {mean: 2/s, amplitude: 1/s, period: 1s}}}",
            "poisson.sine",
            "stands beside another",
        ),
        (
            "{poisson: {sine: {mean: 2/s, amplitude: 3/s, period: 1s}}}",
            "poisson.sine.amplitude",
            "no rate is below 0",
        ),
        ("{poisson: {bursts: {rate: 1/s, on: 0ms, off: 1s}}}", "poisson.bursts.on", "at least"),
        ("{poisson: {bursts: {rate: 1/s, on: 1s, off: 0s}}}", "poisson.bursts.off", "more than"),
        ("{poisson: {steps: []}}", "poisson.steps", "too short"),
        ("{constant: 1/s, trace: a.csv}", "trace", "stands beside constant"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(value: str, path: str, words: str) -> None:
    (found,) = complaints(SMALL, f"traffic.0.arrivals={value}")
    assert found.path == f"traffic.0.arrivals.{path}"
    assert words in found.message


def test_steps_last_as_long_as_their_phase() -> None:
    (found,) = complaints(SMALL, f"traffic.0.arrivals={{constant: {STEPS}}}", "traffic.0.for=2s")
    assert found.path == "traffic.0.arrivals"
    assert "has steps of 1s in all, but the phase lasts 2s" in found.message


@pytest.mark.parametrize(
    "name",
    ["../a.csv", "/etc/passwd", "a/../b.csv", ".hidden", "a//b", "a/", "", "a b.csv", "a\\nb", "é"],
)
def test_a_trace_is_a_plain_name_below_the_folder(name: str) -> None:
    (found,) = complaints(SMALL, f'traffic.0.arrivals={{trace: "{name}"}}')
    assert "is no file below the scenario's folder" in found.message


def test_an_idle_limit_of_clients_needs_clients_that_think() -> None:
    (found,) = complaints(SMALL, "clients.idle_timeout=1s")
    assert found.path == "clients.idle_timeout"
    assert "no phase has `think`" in found.message
    assert small("clients.idle_timeout=1s", "traffic.0.think=5ms").clients.idle_timeout == 10**9


@pytest.mark.parametrize("other", ["lifetime=5ms", "hold={connections: 5, rate: 10/s}"])
def test_thinking_does_not_stand_beside_what_spaces_requests_already(other: str) -> None:
    found = complaints(SMALL, "traffic.0.think=5ms", f"traffic.0.{other}")
    assert [one.path for one in found] == ["traffic.0.think"]
    assert "keep one of them" in found[0].message
