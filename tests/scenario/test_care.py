"""What a balancer is asked to do for its backends: taken over, or refused where it does nothing."""

from __future__ import annotations

import pytest

from tests.support.scenarios import SMALL, complaints, small


@pytest.mark.parametrize(
    "override",
    [
        "balancer.policy.key=connection",
        "balancer.policy.bound=2.0",
        "balancer.panic=0.3",
        "balancer.queue.size=5",
        "balancer.load_age=10ms",
        "backends.weights=[2, 1]",
    ],
)
def test_what_would_have_no_effect_is_refused_by_name(override: str) -> None:
    (found,) = complaints(SMALL, "balancer.policy.name=random", override)
    assert found.path == override.partition("=")[0].replace(".size", "")
    assert "not used" in found.message


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("balancer.health_checks.every=1s", "balancer.health_checks"),
        ("balancer.ejection.failures=2", "balancer.ejection"),
        ("balancer.cap=5", "balancer.cap"),
        ("balancer.on_no_port=queue", "balancer.on_no_port"),
        ("balancer.slow_start=1s", "balancer.slow_start"),
        ("balancer.policy.name=maglev", "balancer.policy"),
    ],
)
def test_without_a_balancer_nobody_could_do_it(override: str, path: str) -> None:
    (found,) = complaints(SMALL, override, "balancer.driver=none")
    assert found.path == path
    assert "balancer" in found.message


def test_a_retry_budget_needs_retries() -> None:
    (found,) = complaints(SMALL, "balancer.retries=0", "balancer.retry_budget.share=0.1")
    assert found.path == "balancer.retry_budget"


def test_what_has_an_effect_is_taken_over() -> None:
    scenario = small(
        "balancer.policy.name=bounded-hash",
        "balancer.policy.key=connection",
        "balancer.policy.bound=1.5",
        "balancer.cap=20",
        "balancer.queue.timeout=250ms",
        "balancer.load_age=5ms",
        "balancer.ejection.for=2s",
        "balancer.panic=0",
        "backends.weights=[3, 1]",
    )
    balancer = scenario.balancer
    assert (balancer.policy.key, balancer.policy.bound, balancer.cap) == ("connection", 1.5, 20)
    assert (balancer.queue.timeout, balancer.load_age) == (250_000_000, 5_000_000)
    assert balancer.ejection is not None
    assert (balancer.ejection.for_ns, balancer.panic) == (2_000_000_000, 0.0)
    assert scenario.backends.weights == (3, 1)
