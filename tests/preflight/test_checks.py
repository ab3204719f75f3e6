"""The price of health checks by Little's law."""

from __future__ import annotations

import pytest

from simulator.preflight.checks import check_tuples
from simulator.preflight.hops import remarks
from tests.support.scenarios import small


@pytest.mark.parametrize(
    ("workers", "every", "time_wait", "held"),
    [(1, "1s", "60s", 60), (2, "10ms", "1s", 200), (4, "200ms", "500ms", 10)],
)
def test_rate_times_time_wait(workers: int, every: str, time_wait: str, held: int) -> None:
    scenario = small(
        f"balancer.workers={workers}",
        f"balancer.health_checks.every={every}",
        f"kernel.time_wait={time_wait}",
        "kernel.port_range=50000-50499",
        "backends.ports=permanent",
    )
    assert check_tuples(scenario, scenario.kernel.time_wait) == held
    (said,) = [text for text in remarks(scenario) if text.startswith("health checks")]
    assert f"hold {held} of 500 tuples" in said


def test_a_reset_holds_nothing_and_a_permanent_port_for_ever() -> None:
    resets = small("balancer.health_checks.close=reset")
    assert check_tuples(resets, 10**9) == 0
    assert not [text for text in remarks(resets) if "health checks" in text]
    kept = small("balancer.health_checks.every=1s", "balancer.source.ports=permanent")
    assert check_tuples(kept, None) == float("inf")
    assert any("comes back" in text for text in remarks(kept))


def test_without_checks_there_is_nothing_to_say() -> None:
    assert check_tuples(small(), 10**9) == 0
