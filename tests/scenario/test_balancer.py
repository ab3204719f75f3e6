"""The balancer of a scenario: a policy by name or by number, and its defaults."""

from __future__ import annotations

import pytest

from simulator.scenario.balancer import Balancer, Policy
from tests.support.scenarios import SMALL, complaints, small


def test_a_policy_is_a_name_or_a_number_of_choices() -> None:
    assert small("balancer.policy=maglev").balancer.policy == Policy(name="maglev")
    chosen = small("balancer.policy={choices: 3}").balancer.policy
    assert (chosen.name, chosen.choices) == ("choices", 3)


def test_a_balancer_that_is_asked_for_nothing_does_nothing_more_than_relay() -> None:
    plain = small().balancer
    assert plain == Balancer()
    assert (plain.health_checks, plain.ejection, plain.cap, plain.retry_budget) == (None,) * 4
    assert (plain.on_no_port, plain.slow_start, plain.load_age) == ("refuse", 0, 0)


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("balancer.policy=fairest", "balancer.policy"),
        ("balancer.policy={name: bounded-hash, bound: 1}", "balancer.policy.bound"),
        ("balancer.panic=1.5", "balancer.panic"),
        ("balancer.cap=0", "balancer.cap"),
        ("backends.weights=[0]", "backends.weights.0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(override: str, path: str) -> None:
    (found,) = complaints(SMALL, override)
    assert found.path == path
