"""A run that still goes on, measured as far as it has come.

What is not due yet is no gap in the plan, and what is open is not open at the end. A run under way
is therefore measured as one that is stopped at its newest moment, less the doubts about stopping.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.summary import summarize
from simulator.measure.turns import due_ns
from simulator.records import Outcome
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.measure.series import Series

#: Said of every run that is stopped; nobody has stopped this one.
_OF_STOPPING: Final = frozenset({"interrupted", "open-at-end"})


def newest_ns(run: Run) -> int:
    """The newest moment that the records of a run tell of, in ns since its start."""
    told = (*run.samples[-1:], *run.roles[-1:], *run.events[-1:])
    return max((int(one.get("t_ns", 0)) for one in told), default=0)


def so_far(run: Run) -> Run:
    """A run under way as if it had been stopped at its newest moment.

    Its outcomes are a copy, since the columns of a run under way change while they are read; the
    other columns of a row are written before its outcome is.
    """
    now_ns = newest_ns(run)
    outcome = np.array(run.connections["outcome"])
    waiting = outcome == Outcome.PLANNED
    if "after" in run.plan:
        # Whether a retry or a turn will be asked for depends on what has not ended yet.
        outcome[waiting & (run.plan["after"] >= 0)] = Outcome.NOT_SENT_NEEDLESS
    outcome[(outcome == Outcome.PLANNED) & (due_ns(run) > now_ns)] = Outcome.NOT_SENT_STOPPED
    stopping = {"event": "stopping", "t_ns": now_ns, "level": 1}
    return replace(
        run,
        connections={**run.connections, "outcome": outcome},
        events=[*run.events, stopping],
    )


def summarize_so_far(run: Run) -> dict[str, Any]:
    """The summary of a run under way; `summary.summarize` is that of one that has ended.

    Raises:
        InternalError: the records do not add up at this moment.
    """
    summary = summarize(so_far(run))
    summary["doubts"] = [one for one in summary["doubts"] if one["code"] not in _OF_STOPPING]
    summary["thresholds"] = []  # of the whole run, so judged at its end
    return summary


def series_so_far(series: Series, run: Run) -> Series:
    """A run over time without the time that is still to come."""
    count = max(1, int(newest_ns(run) / NS_PER_S / series.bin_s))
    return replace(
        series,
        t_s=series.t_s[:count],
        rates_per_s={name: values[:count] for name, values in series.rates_per_s.items()},
        open_connections=series.open_connections[:count],
        errors_per_s={name: values[:count] for name, values in series.errors_per_s.items()},
        dials_per_s={name: values[:count] for name, values in series.dials_per_s.items()},
    )
