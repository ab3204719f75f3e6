"""Drivers of others: what each cannot do is refused at its place, all the rest is taken over."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from simulator.scenario.balancer import Balancer
from simulator.scenario.driver import POLICIES
from simulator.scenario.load import resolved
from simulator.scenario.schema import Scenario
from tests.support.scenarios import SMALL, complaints, small

HAPROXY = "balancer.driver=haproxy"
NGINX = "balancer.driver=nginx"


@pytest.mark.parametrize(
    ("driver", "override", "path"),
    [
        (HAPROXY, "balancer.policy=maglev", "balancer.policy"),
        (HAPROXY, "balancer.policy={name: ring-hash, key: connection}", "balancer.policy.key"),
        (HAPROXY, "balancer.close=balancer", "balancer.close"),
        (HAPROXY, "balancer.half_close=false", "balancer.half_close"),
        (HAPROXY, "balancer.source.ports=early-bind", "balancer.source.ports"),
        (HAPROXY, "balancer.source.ports=permanent", "balancer.source.ports"),
        (HAPROXY, "balancer.source={ports: userspace, pick: random}", "balancer.source.pick"),
        (HAPROXY, "balancer.health_checks.every=1s", "balancer.health_checks.close"),
        (HAPROXY, "balancer.idle_timeout=1500us", "balancer.idle_timeout"),
        (HAPROXY, "balancer={policy: source-hash, slow_start: 1s}", "balancer.slow_start"),
        (NGINX, "balancer.policy={choices: 3}", "balancer.policy"),
        (NGINX, "balancer.policy=bounded-hash", "balancer.policy"),
        (NGINX, "balancer.close=reset", "balancer.close"),
        (NGINX, "balancer.source.ports=userspace", "balancer.source.ports"),
        (NGINX, "balancer.source.addresses=65", "balancer.source.addresses"),
        (NGINX, "balancer.health_checks.close=reset", "balancer.health_checks"),
        (NGINX, "balancer.slow_start=1s", "balancer.slow_start"),
        *(
            (driver, override, f"balancer.{override.split('.')[1].split('=')[0]}")
            for driver in (HAPROXY, NGINX)
            for override in (
                "balancer.ejection.failures=2",
                "balancer.cap=5",
                "balancer.retry_budget.share=0.1",
                "balancer.on_no_port=queue",
                "balancer.descriptors=100",
                "balancer.connect_timeout=1us",
            )
        ),
        (HAPROXY, "balancer={policy: two-choices, load_age: 5ms}", "balancer.load_age"),
    ],
)
def test_what_a_driver_cannot_do_is_refused_at_its_place(
    driver: str, override: str, path: str
) -> None:
    found = complaints(SMALL, override, driver)
    assert path in [one.path for one in found]
    (message,) = [one.message for one in found if one.path == path]
    assert "haproxy" in message or "nginx" in message


@pytest.mark.parametrize(
    ("driver", "policy"), [(driver, name) for driver, names in POLICIES.items() for name in names]
)
def test_each_policy_that_a_driver_has_is_taken_over(driver: str, policy: str) -> None:
    assert small(f"balancer.policy={policy}", f"balancer.driver={driver}").balancer.driver == driver


def test_haproxy_can_look_after_backends_in_its_own_way() -> None:
    balancer = small(
        HAPROXY,
        "balancer.health_checks={every: 200ms, close: reset}",
        "balancer.panic=0",
        "balancer.slow_start=1s",
    ).balancer
    assert balancer.health_checks is not None


def test_haproxys_list_of_ports_is_gone_through_in_turn_unless_told_otherwise() -> None:
    made = small(HAPROXY, "balancer.source.ports=userspace")
    assert made.balancer.source.pick == "sequential"
    # A resolved scenario names it, so that it reads the same again.
    assert Scenario.model_validate(resolved(made)) == made


@pytest.mark.parametrize("driver", ["none", "resolver"])
def test_without_a_relay_there_is_no_end_to_pass_on(driver: str) -> None:
    with pytest.raises(ValidationError, match=f"not used with driver: {driver}"):
        Balancer.model_validate({"driver": driver, "half_close": False})


def test_our_own_balancer_is_asked_nothing_of_the_kind() -> None:
    assert Balancer(driver="own", close="balancer").close == "balancer"
