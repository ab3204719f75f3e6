"""A foreign balancer in a summary: who it was, what it counted, and what cannot be known of it.

It writes no record of a connect. What it could not serve is known from its log, its totals from
its own counters, and occupancy from the kernel's socket table as with any other balancer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.roles import last_counters
from simulator.scenario.driver import FOREIGN
from simulator.units import format_count

if TYPE_CHECKING:
    from simulator.engine import Run

#: Share of its own count of failures that its log may lack before that is a doubt.
_UNTOLD: Final = 0.01
#: Failures that it counts and does not log within the run: those of its last moments.
_LATE: Final = 10


def driver_table(run: Run) -> dict[str, Any] | None:
    """``driver`` of a summary; None where the balancer is ours, or there is none.

    Returns:
        ``name``, ``version`` and ``config`` (where its configuration is, in the run's folder), and
        ``counters`` under the names that it gives them.
    """
    if run.scenario.balancer.driver not in FOREIGN:
        return None
    name = run.scenario.balancer.driver
    told = next((event for event in run.events if event.get("event") == "driver"), {})
    counters: dict[str, int] = {}
    for tick in last_counters(run, "balancer"):
        own = tick.get(name)
        for key, value in own.items() if isinstance(own, Mapping) else ():
            counters[str(key)] = counters.get(str(key), 0) + int(value)
    return {
        "name": name,
        "version": told.get("version"),
        "config": told.get("config"),
        "counters": counters,
    }


def _sum(run: Run, counter: str) -> int:
    return sum(int(tick.get(counter, 0)) for tick in last_counters(run, "balancer"))


def foreign_connects(run: Run) -> int:
    """Clients that a foreign balancer found a backend for, by its own counters."""
    return max(0, _sum(run, "accepted") - _sum(run, "refused"))


def driver_notes(run: Run) -> list[str]:
    """What is true of every run of a foreign balancer."""
    table = driver_table(run)
    if table is None:
        return []
    name = table["name"]
    return [
        (
            f"The balancer was {name} {table['version'] or ''}".rstrip()
            + f": {name} tells of connects that failed and of no other, so what a connect cost it, "
            "and which port it had, is not known; failures are joined to clients by its log."
        )
    ]


def driver_doubts(run: Run) -> list[tuple[str, str, str]]:
    """Code, message and remedy where its counters and its log tell different stories."""
    table = driver_table(run)
    if table is None:
        return []
    counted = int(table["counters"].get("econ", 0))
    told = int(np.count_nonzero(run.refusals["t_ns"] >= 0))
    if counted - told <= max(_LATE, _UNTOLD * counted):
        return []
    name = table["name"]
    message = (
        f"{name} counted {format_count(counted)} clients that it could not connect, but its log "
        f"told why of {format_count(told)} only; others show as what the client saw"
    )
    remedy = "ask for a lower rate, so that its log is not lost; roles.jsonl has its counts"
    return [("driver-log", message, remedy)]
