"""What the model cannot do is refused by the name of its key; what it can do is not refused."""

from __future__ import annotations

import pytest

from simulator.errors import Refused
from simulator.model.scope import beyond, refuse_what_is_beyond
from simulator.scenario.load import load_file
from tests.support.command import SCENARIOS
from tests.support.scenarios import small


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("backends.stream={every: 60s}", "backends.stream.every"),
        ("backends.accept_every=1ms", "backends.accept_every"),
        ("backends.descriptors=100", "backends.descriptors"),
        ("clients.descriptors=100", "clients.descriptors"),
        ("kernel.sysctls={net.ipv4.tcp_max_tw_buckets: 100}", "tcp_max_tw_buckets"),
        ("sidecar={idle_timeout: 1s}", "sidecar.idle_timeout"),
        ("sidecar={descriptors: 100}", "sidecar.descriptors"),
        ("balancer.driver=haproxy", "balancer.driver: haproxy"),
        ("backends.ports=fixed", "backends.ports: fixed"),
        ("backends.faults={leaks: 0.5}", "backends.faults.leaks is new"),
        ("clients.source.range=49152-50000", "clients.source.range"),
    ],
)
def test_it_is_refused_by_name(change: str, name: str) -> None:
    asked = small(change)
    assert any(name in reason for reason in beyond(asked))
    with pytest.raises(Refused, match="use --engine kernel"):
        refuse_what_is_beyond(asked)


@pytest.mark.parametrize(
    "name",
    [
        *("port-wall", "hold-the-range", "late-bind", "who-closes-first", "many-addresses"),
        *("why-dynamic-range", "backend-churn", "quarantine", "retry-herd", "stale-load"),
        *("policies-under-churn", "thousand-backends", "every-dynamic-port", "keepalive-race"),
        *("health-check-cost", "flapping-backend", "half-full-cliff"),
        *("inference-streams", "http-keepalive", "sidecar"),
    ],
)
def test_what_it_can_do_is_not_refused(name: str) -> None:
    loaded = load_file(SCENARIOS / f"{name}.yaml")
    for scenario in [loaded.scenario, *(one.scenario for one in loaded.variants)]:
        assert beyond(scenario) == []


def test_dns_by_udp_is_refused_by_name() -> None:
    reasons = beyond(small("balancer.driver=resolver", "backends.kind=dns"))
    assert "balancer.driver: resolver asks by UDP, which the model has not" in reasons
    assert any("backends.kind: dns" in one for one in reasons)


def test_every_reason_is_given_at_once() -> None:
    assert len(beyond(small("backends.descriptors=50", "backends.accept_every=1ms"))) == 2


@pytest.mark.parametrize(
    "hangs", ["backends.faults={hanging: 1}", "backends.churn={rate: 1/s, leave: hang}"]
)
def test_checks_by_fin_of_backends_that_hang_are_refused(hangs: str) -> None:
    asked = ("balancer.health_checks={every: 1s}", hangs, "backends.count=3")
    assert any("health_checks.close" in reason for reason in beyond(small(*asked)))
    assert beyond(small(*asked, "balancer.health_checks.close=reset")) == []


def test_what_no_engine_can_do_sends_nobody_to_the_other_one() -> None:
    asked = small("nat.preset=aws-nlb", "traffic.0.lifetime=10m")
    with pytest.raises(Refused, match=r"nor can the kernel engine:\n  nat.idle_timeout"):
        refuse_what_is_beyond(asked)
