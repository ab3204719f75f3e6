"""What mends a hop whose tuples health checks hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.preflight.checks import check_tuples
from simulator.preflight.hops import blocked_ns
from simulator.records import Hop
from simulator.units import format_count

if TYPE_CHECKING:
    from simulator.measure.hops import HopFacts
    from simulator.scenario.schema import Scenario

#: A smaller share of the budget is not what ran out.
_WORTH_MENDING: Final = 0.2


def check_remedies(scenario: Scenario, facts: HopFacts) -> list[str]:
    """To end checks by reset, where they hold a fifth of a budget or more; else nothing."""
    if facts.hop is not Hop.BALANCER_BACKEND:
        return []
    held = check_tuples(scenario, blocked_ns(scenario, scenario.balancer.source))
    total = facts.budget * facts.sources
    if held < _WORTH_MENDING * total:
        return []
    sentence = (
        "end health checks by reset (balancer.health_checks.close: reset): they hold "
        f"{format_count(round(min(held, total)))} of {format_count(total)} tuples toward each "
        "backend, and would hold none"
    )
    return [sentence]
