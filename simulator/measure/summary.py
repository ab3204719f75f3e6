"""The summary of a run: everything a report or a threshold needs, from its records alone.

`summarize` asks each file of this room for its part and puts the parts together. Fields may be
added; the meaning of a field never changes within ``portchurn.summary/1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure import folded
from simulator.measure.accounting import count_attempts
from simulator.measure.attribution import find_causes
from simulator.measure.backends import backend_table, endpoints
from simulator.measure.care import care_table
from simulator.measure.connect_cost import connect_cost_by_hop
from simulator.measure.driver import driver_table
from simulator.measure.evidence import gather
from simulator.measure.hops import all_hops
from simulator.measure.latency import latency_table, peak_concurrent
from simulator.measure.modelled import model_table
from simulator.measure.moves import moves_table
from simulator.measure.nat import nat_table
from simulator.measure.phases import phase_table, rates_per_s
from simulator.measure.port_use import port_use
from simulator.measure.precision import precision
from simulator.measure.recovery import recoveries
from simulator.measure.roles import cpu_table, kernel_counters, memory_table
from simulator.measure.thresholds import evaluate
from simulator.measure.turns import loop_notes, loop_table, retry_table
from simulator.measure.validity import find_doubts, notes
from simulator.measure.verdict import decide

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.measure.accounting import Attempts

SCHEMA: Final = "portchurn.summary/1"


def summarize(run: Run) -> dict[str, Any]:
    """Work out the summary of a run, complete or cut short, as plain JSON values.

    Times are ns where the name says so and seconds in ``*_s``; rates are per second.

    Raises:
        InternalError: the accounting identity does not hold.
    """
    causes = find_causes(run)
    attempts = (
        count_attempts(run.connections, causes.count_by_key())
        if run.folded is None
        else folded.attempts_of(run)
    )
    doubts = find_doubts(run, attempts)
    hops = all_hops(run, causes)
    peak = peak_concurrent(run)
    evidence = gather(
        run,
        attempts=attempts,
        causes=causes,
        hops=hops,
        doubts=doubts,
        endpoints=endpoints(run),
        peak_concurrent=peak,
    )
    verdict = decide(evidence)
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run.manifest.get("id"),
        "started": run.manifest.get("started"),
        "engine": run.manifest.get("engine"),
        "model": model_table(run),
        "verdict": verdict.as_dict(),
        "valid": not any(doubt.invalid for doubt in doubts),
        "doubts": [doubt.as_dict() for doubt in doubts],
        "notes": [*notes(run), *loop_notes(run)],
        # Why part of what was to be measured is missing; a reader must not scale it up.
        "incomplete": [doubt.message for doubt in doubts if doubt.code == "role-lost"],
        "attempts": attempts.as_dict(),
        "loop": loop_table(run),
        "retries": retry_table(run),
        "rates_per_s": rates_per_s(run),
        "latency_ns": latency_table(run),
        "precision": precision(run, attempts),
        "hops": [facts.as_dict() | {"port_use": port_use(run, facts.hop)} for facts in hops],
        "connections": _connections(run, attempts, peak),
        "backends": {**backend_table(run), **moves_table(run), **evidence.odd.table()},
        "recoveries": recoveries(run),
        "nat": nat_table(run),
        "care": care_table(run),
        "driver": driver_table(run),
        "dns": None if evidence.dns is None else dict(evidence.dns),
        "cpu": cpu_table(run),
        "memory": memory_table(run),
        "phases": phase_table(run),
        "connect_cost": connect_cost_by_hop(run, hops),
        "attributed": int(np.count_nonzero(causes.joined)),
        "counters": kernel_counters(run),
        "sysctls": _sysctls(run),
        "name": run.manifest.get("scenario"),
        "scenario": run.manifest.get("scenario_resolved", {}),
        "variant": run.manifest.get("variant", ""),
        "seed": run.manifest.get("seed"),
        "environment": run.manifest.get("environment", {}),
    }
    summary["thresholds"] = evaluate(summary, run.scenario.thresholds)
    return summary


def _connections(run: Run, attempts: Attempts, peak: int) -> dict[str, int]:
    if run.folded is not None:
        ended = attempts.ok
        return {
            "peak_concurrent": peak, "opened": ended + attempts.open_at_end, "closed": ended
        }  # fmt: skip
    opened = run.connections["connected_ns"] >= 0
    closed = opened & (run.connections["closed_ns"] >= 0)
    return {
        "peak_concurrent": peak,
        "opened": int(np.count_nonzero(opened)),
        "closed": int(np.count_nonzero(closed)),
    }


def _sysctls(run: Run) -> dict[str, Any]:
    """The namespace's settings as read back, not as asked for."""
    for event in run.events:
        if event.get("event") == "sysctls":
            return dict(event.get("values", {}))
    return {}
