"""What looking after backends came to: checks and their price, ejections, queues, retries denied.

Connects of health checks are counted here and nowhere else: they are in no dial record, but their
tuples are in the hop's occupancy like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from simulator.measure.roles import last_counters, ticks_by_process

if TYPE_CHECKING:
    from simulator.engine import Run

#: Counters that only grow, as workers report them; what several workers counted is added.
COUNTED: Final = (
    "checks",
    "checks_failed",
    "checks_without_port",
    "ejections",
    "panics",
    "queued",
    "queue_timeouts",
    "queue_full",
    "retries_denied",
)


def care_table(run: Run) -> dict[str, int]:
    """``care`` of a summary: the sums over all workers; empty where none looks after backends.

    ``waiting_peak`` and ``out_peak`` are the most that one worker had waiting, and out of rotation,
    at any of its ticks.
    """
    told = [one for tick in last_counters(run, "balancer") if (one := _care(tick)) is not None]
    if not told:
        return {}
    every = [
        care
        for ticks in ticks_by_process(run, "balancer")
        for tick in ticks
        if (care := _care(tick)) is not None
    ]
    return {
        **{name: sum(int(one.get(name, 0)) for one in told) for name in COUNTED},
        "waiting_peak": max(int(one.get("waiting", 0)) for one in every),
        "out_peak": max(int(one.get("out", 0)) for one in every),
    }


def _care(tick: Mapping[str, object]) -> Mapping[str, int] | None:
    care = tick.get("care")
    return care if isinstance(care, Mapping) else None
