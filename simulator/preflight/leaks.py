"""What backends that forget to close take with them: descriptors on both sides, and tuples."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from simulator.preflight.hops import Ceiling
    from simulator.scenario.schema import Scenario


def leaked_connections(scenario: Scenario, connections: int, tuples: int) -> int:
    """Connections that one side only has closed at the end of a run, at most.

    Args:
        scenario: whose backends leak.
        connections: how many are planned.
        tuples: of the hop toward the backends; no more than these can be held.
    """
    return min(ceil(scenario.backends.faults.leaks * connections), tuples)


def leak_notes(scenario: Scenario, toward: Ceiling) -> tuple[str, ...]:
    """How soon a leak takes every tuple; nothing without one.

    Args:
        scenario: whose backends leak.
        toward: the hop toward the backends.
    """
    leaks = scenario.backends.faults.leaks
    per_s = leaks * toward.asked_per_s
    if not per_s:
        return ()
    text = (
        f"{toward.hop}: backends never close {100 * leaks:.3g} % of connections (faults.leaks): "
        f"{format_rate(per_s)} keep their tuple, so {format_count(toward.tuples)} are gone after "
        f"{format_ns(toward.tuples / per_s * NS_PER_S)} at the latest"
    )
    if scenario.balancer.driver != "none":
        text += f", unless balancer.idle_timeout {format_ns(scenario.balancer.idle_timeout)} ends"
        text += " them before"
    return (text,)
