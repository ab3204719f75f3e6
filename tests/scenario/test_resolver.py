"""A resolver in a scenario file: what it has unless given, and what it could only ignore."""

from __future__ import annotations

import pytest

from simulator.scenario.load import resolved
from simulator.scenario.resolver import pool_range, usable_pool_ports
from simulator.scenario.schema import Scenario
from tests.support.scenarios import SMALL, complaints, small

DNS = ("backends.kind=dns", "balancer.driver=resolver")
POOL = "balancer.resolver.pool"
FORGER = "balancer.resolver.forger={}"


def test_there_is_a_pool_of_the_size_that_windows_has() -> None:
    scenario = small(*DNS)
    resolver = scenario.balancer.resolver
    assert resolver is not None
    assert (resolver.pool.size, resolver.pool.choice, resolver.id_bits) == (2500, "random", 16)
    assert (resolver.cache, resolver.forger) == (0, None)
    assert pool_range(scenario) == scenario.kernel.port_range
    assert usable_pool_ports(scenario) == len(scenario.kernel.port_range)
    clients = scenario.clients.source.range
    assert clients is not None  # out of the pool's way
    assert clients.last < pool_range(scenario).first
    assert Scenario.model_validate(resolved(scenario)) == scenario


def test_exclusions_are_left_out_once() -> None:
    scenario = small(
        *DNS, f"{POOL}={{range: 50000-50099, size: 80, exclude: [50000-50009, 50005]}}"
    )
    assert usable_pool_ports(scenario) == 90
    assert Scenario.model_validate(resolved(scenario)) == scenario


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        (["backends.kind=dns"], "backends.kind", "needs balancer.driver: resolver"),
        (["balancer.driver=resolver"], "balancer.driver", "needs backends.kind: dns"),
        (["balancer.resolver={}"], "balancer.resolver", "not used with driver: own"),
        (["backends.zone.names=2"], "backends.zone", "only by dns"),
        ([*DNS, "balancer.close=reset"], "balancer.close", "not used by driver: resolver"),
        ([*DNS, "balancer.source.addresses=2"], "balancer.source", "not used"),
        ([*DNS, "balancer.workers=2"], "balancer.workers", "not used"),
        ([*DNS, "balancer.policy=maglev"], "balancer.policy", "the resolver has round-robin"),
        ([*DNS, "backends.concurrency=4"], "backends.concurrency", "no connections"),
        ([*DNS, "backends.refusing=1"], "backends.refusing", "no connections"),
        ([*DNS, "backends.zone.missing=2"], "backends.zone.missing", "more than the 1 names"),
        ([*DNS, "backends.processes=2"], "backends.processes", "more than backends.count"),
        ([*DNS, "clients.source.ports=kernel"], "clients.source.ports", "write userspace"),
        ([*DNS, "traffic.0.requests=2"], "traffic.0.requests", "one question"),
        ([*DNS, "traffic.0.lifetime=1s"], "traffic.0.lifetime", "one question, one answer"),
        ([*DNS, "traffic.0.request_size=1KiB"], "traffic.0.request_size", "one question"),
        ([*DNS, f"{POOL}.size=10001"], f"{POOL}.size", "10,000"),
        ([*DNS, f"{POOL}={{range: 50000-50099, size: 101}}"], f"{POOL}.size", "the 100 ports"),
        (
            [*DNS, f"{POOL}={{range: 50000-50099, size: 91, exclude: [50000-50009]}}"],
            f"{POOL}.size",
            "the 90 ports",
        ),
        ([*DNS, f"{POOL}.range=2000-9999"], f"{POOL}.range", "give clients.source.range"),
        ([*DNS, FORGER, "backends.zone.names=2"], "balancer.resolver.forger", "answers one name"),
        (
            [*DNS, FORGER, "backends.count=2", "backends.churn.rate=1/s"],
            "balancer.resolver.forger",
            "does not go with backends.churn",
        ),
        ([*DNS, "sidecar={}"], "sidecar", "our own balancer only"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(
    given: list[str], path: str, words: str
) -> None:
    found = complaints(SMALL, *given)
    assert [one.path for one in found] == [path]
    assert words in found[0].message


def test_a_pool_may_lie_where_the_clients_do_not() -> None:
    ranges = (f"{POOL}={{range: 2000-9999}}", "clients.source.range=20000-29999")
    assert str(pool_range(small(*DNS, *ranges))) == "2000-9999"
