"""Connections of the model behind a NAT: each takes a place and gives it back, however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.model.nat import names_of
from simulator.model.world import World
from simulator.ports.nat.presets import PRESETS
from simulator.traffic.plan import make_plan
from tests.support.modelled import modelled
from tests.support.runs import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.scenario.schema import Scenario

CALLS = """\
title: t
backends: {ports: random, range: 20000-29999}
balancer: {driver: none}
clients: {source: {addresses: 2, range: 30000-40000}}
traffic: [{name: calls, for: 1s, arrivals: {constant: 100/s}}]
"""


def play(asked: Scenario) -> tuple[World, list[dict[str, Any]]]:
    """A run to its end and past every rest, and the events it wrote."""
    events: list[dict[str, Any]] = []
    world = World(asked, make_plan(asked).files, lambda _stream, line: events.append(line))
    world.begin()
    world.run_until(asked.duration_ns + asked.grace + 10**12)
    return world, events


@given(
    preset=st.sampled_from(sorted(PRESETS)),
    driver=st.sampled_from(["own", "none"]),
    close=st.sampled_from(["client", "backend", "reset"]),
    leave=st.sampled_from(["drain", "crash"]),
    refusing=st.integers(0, 1),
)
def test_every_place_comes_back_whatever_ends_a_connection(
    preset: str, driver: str, close: str, leave: str, refusing: int
) -> None:
    nat: dict[str, Any] = {"preset": preset, "after_fin": "300ms", "after_reset": "50ms"}
    if preset in ("ananta", "full-nat"):
        nat["ports"] = "2000-2031"
    asked = scenario(
        nat=nat,
        backends={
            "count": 3, "ports": "random", "range": "20000-20009", "service_time": "10ms",
            "refusing": refusing, "churn": {"rate": "10/s", "away": "50ms", "leave": leave},
        },
        balancer={"driver": driver, "close": close, "connect_timeout": "40ms"},
        clients={"timeout": "80ms", "processes": 2, "source": {"range": "30000-40000"}},
        traffic=[
            {
                "name": "only", "for": "400ms", "arrivals": {"poisson": "300/s"},
                "requests": 2, "lifetime": {"exponential": "20ms"},
            }
        ],
    )  # fmt: skip
    world, _ = play(asked)
    records = world.records
    assert world.open == 0
    assert records.sent_count == records.ok_count + records.failed_count
    behind = world.sample()["nat-backend"]
    assert behind["in_use"] == behind["established"] == 0


def test_it_stands_behind_whoever_dials_the_backends(tmp_path: Path) -> None:
    few = ("nat={preset: aws-nat-gateway, per_destination: 10}",)
    for sets in (few, (*few, "balancer={driver: own, retries: 0}")):
        summary, run = modelled(CALLS, tmp_path, *sets)
        assert summary["attempts"]["ok"] == 10
        assert summary["attempts"]["errors"] == {"nat-backend/allocate/NAT_PORTS": 90}
        assert summary["verdict"]["code"] == "nat-ports"
        assert run.samples[-1]["hops"]["nat-backend"]["in_use"] == 10


def test_its_own_ports_run_out_before_it_is_asked(tmp_path: Path) -> None:
    sets = ("nat.preset=aws-nat-gateway", "clients.source={ports: early-bind, addresses: 1}")
    summary, _ = modelled(CALLS, tmp_path, *sets, "kernel.port_range=50000-50009")
    assert summary["attempts"]["ok"] == 10
    assert "client-backend/bind/EADDRINUSE" in summary["attempts"]["errors"]
    assert summary["nat"]["refused"] == {"ports": 0, "pool": 0, "table": 0}


def test_what_it_did_is_told_in_the_end() -> None:
    asked = scenario(nat={"preset": "ananta"}, balancer={"driver": "none"})
    world, events = play(asked)
    world.end()
    [told] = [one for one in events if one.get("event") == "nat"]
    assert told["flows"] == 100
    assert told["asks"] == 16  # one block for each of the sixteen source addresses
    assert told["ports"] == told["pool"] == told["table"] == 0


@pytest.mark.parametrize(
    ("preset", "near", "names"),
    [
        ("aws-nlb", 2, ("address 1", "address 2")),
        ("ananta", 3, ("host 10.0.0.1", "host 2", "host 3")),
        ("full-nat", 2, ("core 1 of address 1", "core 2 of address 1")),
    ],
)
def test_its_parts_have_names(preset: str, near: int, names: tuple[str, ...]) -> None:
    assert names_of(PRESETS[preset], ["10.0.0.1"], near) == names
