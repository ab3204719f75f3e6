"""What a compiled balancer does not do is refused at its place, and all the rest is taken."""

from __future__ import annotations

import pytest

from tests.support.scenarios import SMALL, complaints, small

COMPILED = "balancer.compiled=true"


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("balancer.driver=haproxy", "balancer.compiled"),
        ("balancer.driver=none", "balancer.compiled"),
        ("balancer.policy=maglev", "balancer.policy"),
        ("balancer.policy=peak-ewma", "balancer.policy"),
        ("balancer.source.ports=permanent", "balancer.source.ports"),
        ("balancer.health_checks.every=1s", "balancer.health_checks"),
        ("balancer.ejection.failures=2", "balancer.ejection"),
        ("balancer.cap=5", "balancer.cap"),
        ("balancer.on_no_port=queue", "balancer.on_no_port"),
        ("balancer.slow_start=1s", "balancer.slow_start"),
        ("balancer.retry_budget.share=0.1", "balancer.retry_budget"),
        ("balancer={policy: least-connections, load_age: 1s}", "balancer.load_age"),
    ],
)
def test_what_it_leaves_to_python_is_named(override: str, path: str) -> None:
    (found,) = complaints(SMALL, override, COMPILED)
    assert found.path == path


@pytest.mark.parametrize(
    "override",
    [
        "balancer.policy=weighted-least-connections",
        "balancer.source={ports: userspace, addresses: 4}",
        "balancer.source.ports=early-bind",
        "balancer.close=reset",
        "balancer={workers: 2, retries: 3, descriptors: 100}",
    ],
)
def test_what_it_does_is_taken(override: str) -> None:
    assert small(override, COMPILED).balancer.compiled
    assert not small(override).balancer.compiled, "nobody gets it without asking"
