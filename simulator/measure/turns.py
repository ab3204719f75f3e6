"""When connections were really due, and what retries did, where connections wait for others.

The plan holds the earliest moment for a row that waits for another; the true one is the end of that
other plus the planned pause. Latency counts from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.records import NOT_YET, Outcome

if TYPE_CHECKING:
    from simulator.engine import Run

    Times = np.ndarray[Any, np.dtype[np.int64]]

CLOSED_NOTE: Final = (
    "Closed loop: a user who waits asks for nothing, so a slow answer lowers the rate and hides "
    "its own queue; response times leave out everyone who would have come meanwhile. Never compare "
    "them with those of an open loop."
)


def due_ns(run: Run) -> Times:
    """When each connection became due, ns, shape (connections,); -1 for one that never did."""
    planned: Times = run.plan["due_ns"]
    after = run.plan.get("after")
    if after is None:
        return planned
    waits = after >= 0
    ended = run.connections["closed_ns"][np.maximum(after, 0)]
    happened = (ended >= 0) & (run.connections["sent_ns"] >= 0)
    later = np.where(happened, ended + run.plan["pause_ns"], NOT_YET)
    found: Times = np.where(waits, later, planned)
    return found


def loop_table(run: Run) -> dict[str, Any]:
    """``loop`` of a summary: open or closed, and how many users a closed one has."""
    scenario = run.scenario
    users = [phase.users.count for phase in scenario.traffic if phase.users is not None]
    return {"kind": scenario.loop, "users": max(users, default=0)}


def retry_table(run: Run) -> dict[str, int] | None:
    """``retries`` of a summary; None where clients do not retry.

    ``connections`` were wanted, ``attempts`` sent for them, ``recovered`` succeeded after a
    failure, ``gave_up`` failed on the last attempt.
    """
    retry = run.scenario.clients.retry
    if retry is None or "attempt" not in run.plan:
        return None
    attempt, outcome = run.plan["attempt"], run.connections["outcome"]
    sent = run.connections["sent_ns"] >= 0
    failed = outcome == Outcome.FAILED
    return {
        "connections": int(np.count_nonzero(attempt == 0)),
        "attempts": int(np.count_nonzero(sent)),
        "retries": int(np.count_nonzero(sent & (attempt > 0))),
        "recovered": int(np.count_nonzero((outcome == Outcome.OK) & (attempt > 0))),
        "gave_up": int(np.count_nonzero(failed & (attempt == retry.attempts - 1))),
    }


def loop_notes(run: Run) -> list[str]:
    """What a reader of latencies must know of the kind of loop."""
    if run.scenario.loop == "open":
        return []
    return [CLOSED_NOTE]
