"""Forecasts held against the same systems played out from their plans, one by one."""

from __future__ import annotations

from heapq import heappop, heappush
from math import sqrt
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.preflight.hops import hop_budgets, hops_of, open_ns, waits_ns
from simulator.preflight.predict import predict
from simulator.scenario.load import load_file
from simulator.theory.erlang import erlang_b
from simulator.traffic.plan import make_plan
from tests.support.command import SCENARIOS
from tests.support.scenarios import loaded, small

if TYPE_CHECKING:
    from simulator.preflight.forecast import Forecast, HopForecast
    from simulator.scenario.schema import Scenario

ONE_BACKEND = ["backends={count: 1, ports: random, range: 20000-29999}"]
FOREVER = 1 << 62


def walled(ports: int, arrivals: str, *flags: str, wait: str = "500ms") -> Scenario:
    """One balancer with so many ports and short connections."""
    last = 50_000 + ports - 1
    return small(
        *ONE_BACKEND,
        f"kernel={{port_range: 50000-{last}, time_wait: {wait}}}",
        f"traffic.0.arrivals={arrivals}",
        *flags,
    )


def played(scenario: Scenario) -> tuple[int, int | None]:
    """Connections of the plan that find no tuple of the last hop, and when the first did, ns.

    Sources and destinations take turns, so that tuples of all groups are one pool.
    """
    plan = make_plan(scenario)
    room = hop_budgets(scenario)[-1].total
    blocked = waits_ns(scenario, hops_of(scenario)[-1])
    held = open_ns(scenario, plan) + (FOREVER if blocked is None else blocked)
    busy: list[int] = []
    lost, first = 0, None
    for due, time in zip(plan.columns["due_ns"].tolist(), held.tolist(), strict=True):
        while busy and busy[0] <= due:
            heappop(busy)
        if len(busy) < room:
            heappush(busy, due + time)
        else:
            lost += 1
            first = due if first is None else first
    return lost, first


def last_hop(forecast: Forecast) -> HopForecast:
    return forecast.hops[-1]


@pytest.mark.parametrize(
    "scenario",
    [
        walled(500, "{constant: 1500/s}", "traffic.0.for=2s"),
        walled(500, "{constant: 1500/s}", "traffic.0.for=3s", "traffic.0.lifetime=120ms"),
        walled(300, "{constant: {from: 100/s, to: 1500/s}}", "traffic.0.for=4s"),
        walled(200, "{constant: 1000/s}", "balancer.source.addresses=2", "traffic.0.for=2s"),
        walled(100, "{constant: {bursts: {rate: 2000/s, on: 100ms, off: 400ms}}}"),
        walled(200, "{constant: 1000/s}", "balancer={close: balancer, idle_timeout: 50ms}"),
        walled(700, "{constant: 1000/s}", "balancer.source.ports=early-bind"),
        walled(700, "{constant: 1000/s}", "balancer.source.ports=permanent"),
        small(
            *ONE_BACKEND,
            "balancer.driver=none",
            "clients.source={addresses: 1, ports: kernel}",
            "kernel={port_range: 50000-50099, time_wait: 100ms}",
            "traffic=[{name: a, for: 1s, hold: {connections: 130, rate: 300/s}},"
            " {name: b, for: 1s, arrivals: {constant: 1500/s}}]",
        ),
    ],
    ids=["waves", "lifetime", "ramp", "sources", "bursts", "idle", "early", "permanent", "hold"],
)
def test_evenly_spaced_arrivals_fail_as_when_played_out(scenario: Scenario) -> None:
    forecast = predict(scenario)
    lost, first = played(scenario)
    assert lost
    assert first is not None
    assert forecast.failed == pytest.approx(lost, rel=0.01, abs=3)
    assert last_hop(forecast).wall_at_s == pytest.approx(first / 1e9, abs=0.004)
    assert forecast.ok == pytest.approx(forecast.asked - (forecast.failed or 0))
    assert "by chance" not in forecast.phases[0].by
    assert {phase.by for phase in forecast.phases} <= {"fluid limit", "none"}


@pytest.mark.parametrize(("ports", "rate"), [(64, 600), (64, 640), (20, 300)])
def test_chance_below_the_wall_is_erlangs(ports: int, rate: int) -> None:
    arrivals = f"{{poisson: {rate}/s}}"
    flags = ("traffic.0.for=20s",)
    lost = [
        played(walled(ports, arrivals, f"seed={seed}", *flags, wait="100ms"))[0]
        for seed in range(6)
    ]
    forecast = predict(walled(ports, arrivals, *flags, wait="100ms"))
    share = erlang_b(ports, rate * 0.1)
    assert forecast.failed == pytest.approx(share * rate * 20, rel=0.02)
    spread = 4 * float(np.std(lost)) / sqrt(len(lost))
    assert forecast.failed == pytest.approx(np.mean(lost), abs=spread, rel=0.05)


def test_a_poisson_ramp_takes_the_larger_of_both() -> None:
    scenario = walled(1000, "{poisson: {from: 500/s, to: 3000/s}}", "traffic.0.for=8s", "seed=7")
    forecast = predict(scenario)
    lost, first = played(scenario)
    by_seed = 4 * forecast.asked_deviation
    assert forecast.failed == pytest.approx(lost, abs=by_seed)
    assert last_hop(forecast).wall_at_s == pytest.approx((first or 0) / 1e9, abs=0.4)
    assert forecast.asked == pytest.approx(14_000)
    assert forecast.asked_deviation == pytest.approx(sqrt(14_000))


def test_two_relays_in_a_row_and_the_first_to_run_out_is_named() -> None:
    shared = ("sidecar={source: {addresses: 1, ports: kernel}}", "traffic.0.for=2s")
    forecast = predict(walled(200, "{constant: 800/s}", "balancer.source.addresses=4", *shared))
    assert [hop.hop for hop in forecast.hops][1] == "sidecar-balancer"
    assert forecast.verdict == "sidecar-source-ports"
    assert forecast.hops[1].failed
    assert forecast.hops[2].failed == 0
    # What the sidecar lets through is all that the balancer sees: 200 / 4 in each group.
    assert forecast.hops[2].in_use_peak == pytest.approx(50, abs=1)


def test_occupancy_by_state_follows_littles_law() -> None:
    forecast = predict(
        walled(2000, "{constant: 1000/s}", "traffic.0.for=2s", "traffic.0.lifetime=100ms")
    )
    state = forecast.phases[0].states[-1]
    assert state.established == pytest.approx(100, rel=0.01)
    assert state.time_wait == pytest.approx(500, rel=0.01)
    assert state.in_use == pytest.approx(600, rel=0.01)
    assert last_hop(forecast).uses_per_tuple == pytest.approx(1.0)
    assert forecast.verdict == "ok"
    assert forecast.sentence.startswith("No wall: 2,000 connections take at most 600 of 2,000")


def test_health_checks_take_their_share_first() -> None:
    base = walled(200, "{constant: 100/s}", "balancer.health_checks={every: 10ms, close: fin}")
    assert last_hop(predict(base)).budget == 200 - 50


def test_the_verdict_is_that_of_a_run() -> None:
    early = walled(10, "{constant: 100/s}", "balancer.source.ports=early-bind")
    assert predict(early).verdict == "bind-conflict"
    clients = small(
        *ONE_BACKEND,
        "balancer.driver=none",
        "clients.source={addresses: 1, ports: kernel}",
        "kernel.port_range=50000-50001",
    )
    assert predict(clients).verdict == "client-source-ports"


def test_what_feeds_back_is_named_and_gets_no_counts() -> None:
    forecast = predict(walled(10, "{constant: 100/s}", "clients.retry={attempts: 2}"))
    assert [one.name for one in forecast.not_applied] == ["clients.retry"]
    assert forecast.ok is forecast.failed is None
    assert last_hop(forecast).failed is None
    assert forecast.phases[0].failed is None
    # The moment of the wall follows from ports all the same.
    assert last_hop(forecast).wall_at_s == pytest.approx(0.1, abs=0.012)


def test_what_was_never_checked_is_labelled() -> None:
    notes = predict(walled(10, "{constant: 9/s}", "balancer.driver=haproxy")).notes
    assert any(note.startswith("unvalidated: ") and "haproxy" in note for note in notes)


def test_a_billion_connections_cost_no_more_than_ten() -> None:
    text = "title: day\ntraffic: [{name: all, for: 1h, arrivals: {poisson: 300000/s}}]\n"
    scenario = loaded(text, "kernel.time_wait=1s", "backends.count=16").scenario
    begun = perf_counter()
    forecast = predict(scenario)
    assert perf_counter() - begun < 5  # a plan of them could not be drawn at all
    assert forecast.asked == pytest.approx(1.08e9)
    held = 16_384 - 1 * 16
    assert last_hop(forecast).ceiling_per_s == pytest.approx(16 * held, rel=0.01)
    assert forecast.failed == pytest.approx(1.08e9 - 16 * held * 3600, rel=0.01)


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_is_answered(path: object) -> None:
    file = load_file(SCENARIOS / getattr(path, "name", ""))
    for scenario in [one.scenario for one in file.variants] or [file.scenario]:
        forecast = predict(scenario, file.traces)
        assert forecast.sentence
        assert (forecast.ok is None) == bool(forecast.not_applied)
        for hop in forecast.hops:
            assert hop.in_use_peak <= hop.budget + 1e-6
