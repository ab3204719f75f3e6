"""Runs whose connections were folded as they came: counts in place of rows (docs/records.md).

Nothing failed in such a run but for want of a tuple, on the clients' own hop, and every connection
was sent when it was due. So counts by phase, times by bucket and bins over time say the same that
rows would, but for what is asked of single ports, and of neighbours in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.errors import InternalError
from simulator.measure.accounting import Attempts
from simulator.measure.histogram import Histogram, told
from simulator.preflight.hops import client_hop
from simulator.records import error_key
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run


def counts_of(run: Run) -> Mapping[str, Any]:
    """The line of counts of a folded run.

    Raises:
        InternalError: its connections were not folded.
    """
    if run.folded is None:
        raise InternalError("this run has rows; its counts are theirs")
    return run.folded


def attempts_of(run: Run) -> Attempts:
    """What became of the plan, up to an early stop: nothing later was ever drawn.

    Raises:
        InternalError: the counts do not add up.
    """
    counts = counts_of(run)
    sent, ok, failed, still_open = (
        sum(counts["phases"][name]) for name in ("sent", "ok", "failed", "open")
    )
    key = error_key(client_hop(run.scenario), counts["call"], counts["error"])
    found = Attempts(
        planned=sum(counts["asked"]),
        sent=sent,
        ok=ok,
        failed=failed,
        open_at_end=still_open,
        not_sent={},
        errors={key: failed} if failed else {},
    )
    found.check()
    return found


def phase_counts(run: Run) -> list[dict[str, int]]:
    """``asked, sent, ok, failed`` of each phase."""
    phases = counts_of(run)["phases"]
    return [
        {"asked": sent, "sent": sent, "ok": ok, "failed": failed}
        for sent, ok, failed in zip(phases["sent"], phases["ok"], phases["failed"], strict=True)
    ]


def busiest_second(run: Run, phase: int) -> int:
    """The most connections due in one whole second of a phase."""
    return int(counts_of(run)["phases"]["busiest_second"][phase])


def latencies(run: Run, measured: Sequence[int]) -> dict[str, dict[str, int | None]]:
    """``latency_ns`` of a summary; nothing is late and a connect takes no time in the model.

    Args:
        run: a folded one.
        measured: indexes of the phases that count.
    """
    phases = phase_counts(run)
    sent = sum(phases[at]["sent"] for at in measured)
    failed = sum(phases[at]["failed"] for at in measured)
    response = told(Histogram.from_dict(counts_of(run)["response"]))
    return {
        "connect": told(_nothing(sent - failed)),
        "response": response,
        "service": dict(response),
        "lag": told(_nothing(sent)),
    }


def _nothing(count: int) -> Histogram:
    """So many times of 0 ns."""
    form = {"count": count, "min_ns": 0, "max_ns": 0, "total_ns": 0}
    return Histogram.from_dict({**form, "buckets": [[0, count]] if count else []})


def mean_open_s(run: Run) -> float:
    """Mean time that connections stayed open, in seconds; 0 when none was closed."""
    done = attempts_of(run).ok
    return float(counts_of(run)["open_ns"]) / done / NS_PER_S if done else 0.0


def picks(run: Run) -> dict[str, int]:
    """How often each backend was dialed."""
    return {str(at): int(count) for at, count in enumerate(counts_of(run)["picks"]) if count}
