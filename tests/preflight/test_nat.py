"""A NAT before anything runs: its tuples, its ceiling, and what closed forms leave to the model."""

from __future__ import annotations

import pytest

from simulator.preflight.hops import ceilings, every_budget, every_hop, open_ns
from simulator.preflight.nat import nat_budget, nat_lines, too_silent
from simulator.preflight.predict import predict
from simulator.records import Hop
from simulator.traffic.plan import make_plan
from tests.support.scenarios import small

DIRECT = ("balancer.driver=none", "clients.source.addresses=2")


@pytest.mark.parametrize(
    ("nat", "groups", "budget", "total"),
    [
        ("{preset: aws-nat-gateway, addresses: 2}", 6, 55_000, 330_000),
        ("{preset: azure-load-balancer, hosts: 60}", 6, 512, 3_072),
        ("{preset: linux-masquerade, table: 1000}", 3, 64_512, 1_000),
        ("{preset: carrier}", 2, 1_024, 2_048),
        ("{preset: full-nat}", 24, 8_063, 193_512),
    ],
)
def test_the_tuples_behind_it(nat: str, groups: int, budget: int, total: int) -> None:
    scenario = small(f"nat={nat}", "backends.count=3", *DIRECT)
    assert scenario.nat is not None
    found = nat_budget(scenario, scenario.nat)
    assert (found.groups, found.budget, found.total) == (groups, budget, total)
    assert every_budget(scenario)[-1] == found


@pytest.mark.parametrize(("close", "rests_s"), [("client", 65), ("backend", 65), ("reset", 16)])
def test_its_ceiling_goes_by_how_connections_end(close: str, rests_s: int) -> None:
    scenario = small("nat.preset=azure-nat-gateway", f"balancer.close={close}", *DIRECT)
    plan = make_plan(scenario)
    found = ceilings(scenario, plan, open_ns(scenario, plan))[-1]
    assert found.hop == "nat-backend"
    assert found.per_s == pytest.approx(50_000 / rests_s)
    assert "at rest" in found.sentence


def test_a_scenario_without_one_has_no_such_hop() -> None:
    assert Hop.NAT_BACKEND not in every_hop(small())
    assert list(nat_lines(small())) == []
    assert too_silent(small()) == []


def test_its_numbers_are_told() -> None:
    text = "\n".join(nat_lines(small("nat={preset: ananta, grows_after: 50ms}", *DIRECT)))
    assert "2 hosts behind 1 address" in text
    assert "blocks of 8" in text
    assert "there after 50ms" in text
    text = "\n".join(nat_lines(small("nat={preset: google-cloud-nat, hosts: 2000}", *DIRECT)))
    assert "only 1,008 of 2,000 hosts get any port" in text


@pytest.mark.parametrize(
    ("change", "is_silent"),
    [
        ("traffic.0.lifetime=6m", True),
        ("traffic.0.think=6m", True),
        ("traffic.0.lifetime=5m", False),
    ],
)
def test_silence_that_it_would_not_survive_is_named(change: str, is_silent: bool) -> None:
    scenario = small("nat.preset=aws-nat-gateway", change, *DIRECT)
    assert bool(too_silent(scenario)) is is_silent
    alive = small("nat={preset: aws-nat-gateway, idle_timeout: 1h}", change, *DIRECT)
    assert too_silent(alive) == []


@pytest.mark.parametrize(
    ("nat", "verdict", "failed"),
    [
        ("{preset: aws-nlb, per_destination: 300}", "nat-ports", 700),
        ("{preset: azure-load-balancer, hosts: 60}", "ok", 0),
        ("{preset: linux-masquerade, table: 400}", "nat-table", 600),
    ],
)
def test_closed_forms_know_it_as_one_hop_more(nat: str, verdict: str, failed: float) -> None:
    forecast = predict(
        small(f"nat={nat}", "traffic.0.for=50s", "traffic.0.arrivals.constant=20/s", *DIRECT)
    )
    assert forecast.verdict == verdict
    assert forecast.failed == pytest.approx(failed, abs=2)
    assert forecast.hops[-1].hop == "nat-backend"


@pytest.mark.parametrize(
    ("nat", "name"),
    [
        ("{preset: carrier}", "nat.mapping"),
        ("{preset: full-nat}", "nat.cores"),
        ("{preset: ananta, grows_after: 1s}", "nat.grows_after"),
        ("{preset: google-cloud-nat, per_host: 32768}", "nat.hosts"),
        ("{preset: linux-masquerade}", "nat.preset"),
        ("{preset: aws-nlb, idle_timeout: 1ms}", "nat.idle_timeout"),
    ],
)
def test_what_closed_forms_do_not_know_of_it(nat: str, name: str) -> None:
    limits = predict(small(f"nat={nat}", "traffic.0.lifetime=1s", *DIRECT)).not_applied
    assert name in [one.name for one in limits]
