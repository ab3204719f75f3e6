"""What health checks hold before any client has come: tuples toward each backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


def check_tuples(scenario: Scenario, blocked_ns: int | None) -> float:
    """Tuples toward one backend that checks hold at any time.

    By Little's law: the rate of checks toward it, of all workers together, times TIME_WAIT.

    Args:
        scenario: whose checks.
        blocked_ns: how long a tuple is out of reach after its close; None = for ever.

    Returns:
        That number; 0 without checks and where they end by reset, infinite where tuples never
        come back.
    """
    checks = scenario.balancer.health_checks
    if checks is None or checks.close == "reset":
        return 0.0
    if blocked_ns is None:
        return float("inf")
    return scenario.balancer.workers * blocked_ns / checks.every


def check_remark(scenario: Scenario, blocked_ns: int | None, budget: int) -> str:
    """That number in a sentence, beside the budget toward one backend; "" where it is none."""
    held = check_tuples(scenario, blocked_ns)
    checks = scenario.balancer.health_checks
    if not held or checks is None:
        return ""
    rate = format_rate(scenario.balancer.workers * NS_PER_S / checks.every)
    if blocked_ns is None:
        return f"health checks: {rate} toward each backend, and no tuple of theirs comes back"
    return (
        f"health checks: {rate} toward each backend x {format_ns(blocked_ns)} of TIME_WAIT hold "
        f"{format_count(round(held))} of {format_count(budget)} tuples before any client comes"
    )
