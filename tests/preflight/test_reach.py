"""What closed forms do not know is named, and nothing else is."""

from __future__ import annotations

import pytest

from simulator.preflight.reach import not_applied
from tests.support.scenarios import small

ASKS = [
    ("users", "traffic=[{name: loop, for: 1s, users: {count: 3, think: 100ms}}]"),
    ("clients.retry", "clients.retry={attempts: 2}"),
    ("balancer.on_no_port", "balancer.on_no_port=queue"),
    ("balancer.cap", "balancer.cap=3"),
    ("balancer.ejection", "balancer.ejection={failures: 2}"),
    ("clients.descriptors", "clients.descriptors=100"),
    ("balancer.descriptors", "balancer.descriptors=100"),
    ("backends.descriptors", "backends.descriptors=100"),
    ("sidecar.descriptors", "sidecar={descriptors: 100}"),
    ("backends.churn", "backends={count: 3, churn: {rate: 1/s}}"),
    ("backends.refusing", "backends.refusing=1"),
    ("backends.faults", "backends.faults.error_rate=0.5"),
    ("backends.faults", "backends.faults.leaks=0.5"),
    ("backends.flapping", "backends={count: 3, ports: random, flapping: {count: 1}}"),
    ("backends.address", "backends={ports: fixed, address: shared, range: 20000-20009}"),
    ("backends.concurrency", "backends.concurrency=1"),
    ("backends.accept_every", "backends.accept_every=1ms"),
    ("backends.idle_timeout", "backends.idle_timeout=1s"),
]
SPREADS = [
    ("balancer.source", ["balancer.driver=nginx", "balancer.source.addresses=2"]),
    ("balancer.policy", ["balancer.policy=source-hash"]),
    ("balancer.policy", ["balancer.policy=random"]),
    ("balancer.load_age", ["balancer.policy=least-connections", "balancer.load_age=1s"]),
    ("backends.weights", ["balancer.policy=weighted-round-robin", "backends.weights=[1, 9]"]),
]


def names(*flags: str, fullest: float = 0.0, is_walled: bool = False) -> list[str]:
    return [one.name for one in not_applied(small(*flags), fullest, is_walled=is_walled)]


def test_a_plain_scenario_is_known() -> None:
    assert names(fullest=1.0, is_walled=True) == []
    assert names("backends.count=3", fullest=1.0, is_walled=True) == []


@pytest.mark.parametrize(("name", "flag"), ASKS)
def test_each_is_named(name: str, flag: str) -> None:
    assert names(flag) == [name]


@pytest.mark.parametrize(("name", "flags"), SPREADS)
def test_an_uneven_spread_matters_only_where_one_share_is_not_enough(
    name: str, flags: list[str]
) -> None:
    four = ["backends.count=4", *flags]
    assert names(*four, fullest=0.2) == []
    assert name in names(*four, fullest=0.9)
    assert names("backends.count=1", *[one for one in flags if "weights" not in one]) == []


def test_a_resolver_is_named() -> None:
    assert names("balancer.driver=resolver", "backends.kind=dns") == ["balancer.driver"]


def test_checks_matter_where_ports_run_out() -> None:
    checks = "balancer.health_checks={every: 100ms, close: fin}"
    assert names(checks) == []
    assert names(checks, is_walled=True) == ["balancer.health_checks"]
    resets = "balancer.health_checks={every: 100ms, close: reset}"
    assert names(resets, is_walled=True) == []


def test_gaps_that_may_outlast_the_balancer_are_named() -> None:
    slow = ["traffic.0.requests={constant: 3}", "traffic.0.think={exponential: 50ms}"]
    assert names(*slow, "balancer.idle_timeout=400ms") == ["balancer.idle_timeout"]
    assert names(*slow, "balancer.idle_timeout=600ms") == []


def test_ports_that_one_hop_takes_from_another_are_named() -> None:
    meet = [
        "clients.source={ports: userspace, range: 50000-50999}",
        "kernel.port_range=50000-50999",
    ]
    assert names(*meet) == ["source"]
