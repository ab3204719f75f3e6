"""Which part of a run is measured: the phases that are no warm-up, up to an early stop.

Rates count what happened inside these windows, so that neither the warm-up nor the time in which
the last connections drain changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.measure import folded
from simulator.measure.turns import due_ns
from simulator.records import Outcome
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine import Run

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One phase on the run's clock, in ns since its start; ``end_ns`` is cut by an early stop."""

    name: str
    index: int
    start_ns: int
    end_ns: int
    warmup: bool

    @property
    def seconds(self) -> float:
        """Length in seconds, 0 for a phase that was never reached."""
        return max(0, self.end_ns - self.start_ns) / NS_PER_S

    def holds(self, moments_ns: np.ndarray[Any, Any]) -> Mask:
        """Which moments of shape (n,) lie in this phase."""
        inside: Mask = (moments_ns >= self.start_ns) & (moments_ns < self.end_ns)
        return inside


def stopped_at_ns(run: Run) -> int | None:
    """When someone stopped the run early, None when nobody did."""
    for event in run.events:
        if event.get("event") == "stopping":
            return int(event["t_ns"])
    return None


def spans(run: Run) -> list[Span]:
    """All phases of a run in order."""
    stop = stopped_at_ns(run)
    found: list[Span] = []
    at = 0
    for index, phase in enumerate(run.scenario.traffic):
        end = at + phase.for_ns
        found.append(
            Span(
                name=phase.name,
                index=index,
                start_ns=at,
                end_ns=end if stop is None else min(end, stop),
                warmup=phase.warmup,
            )
        )
        at = end
    return found


def measured(found: list[Span]) -> list[Span]:
    """The phases that count; all of them when every one is a warm-up."""
    return [span for span in found if not span.warmup] or found


def measured_rows(run: Run) -> Mask:
    """Which planned connections belong to a measured phase, shape (connections,)."""
    inside: Mask = np.isin(run.plan["phase"], [span.index for span in measured(spans(run))])
    return inside


def phase_table(run: Run) -> list[dict[str, Any]]:
    """Counts and rates of each phase, as summaries hold them.

    asked counts what was due in the phase, sent what was taken up in it, ok what was taken up in
    it and later ended as planned.
    """
    table = []
    all_spans = spans(run)
    all_counts = folded.phase_counts(run) if run.folded is not None else _counts(run, all_spans)
    for span, counts in zip(all_spans, all_counts, strict=True):
        rates = {
            name: counts[name] / span.seconds if span.seconds else 0.0
            for name in ("asked", "sent", "ok")
        }
        table.append(
            {
                "name": span.name,
                "warmup": span.warmup,
                "start_s": span.start_ns / NS_PER_S,
                "end_s": max(span.start_ns, span.end_ns) / NS_PER_S,
                **counts,
                "rates_per_s": rates,
            }
        )
    return table


def _counts(run: Run, all_spans: Sequence[Span]) -> list[dict[str, int]]:
    """What happened in each phase, from the rows."""
    due, sent = due_ns(run), run.connections["sent_ns"]
    outcome = run.connections["outcome"]
    found = []
    for span in all_spans:
        taken = span.holds(sent)
        found.append(
            {
                "asked": int(np.count_nonzero(span.holds(due))),
                "sent": int(np.count_nonzero(taken)),
                "ok": int(np.count_nonzero(taken & (outcome == Outcome.OK))),
                "failed": int(np.count_nonzero(taken & (outcome == Outcome.FAILED))),
            }
        )
    return found


def rates_per_s(run: Run) -> dict[str, float]:
    """``asked, sent, ok`` connections per second over all measured phases together."""
    chosen = {span.index for span in measured(spans(run))}
    rows = [row for index, row in enumerate(phase_table(run)) if index in chosen]
    seconds = sum(row["end_s"] - row["start_s"] for row in rows)
    return {
        name: sum(row[name] for row in rows) / seconds if seconds else 0.0
        for name in ("asked", "sent", "ok")
    }


def peak_asked_per_s(run: Run) -> float:
    """The most connections due in any one second of the measured phases."""
    peak, all_due = 0, due_ns(run)
    for span in measured(spans(run)):
        if run.folded is not None:
            peak = max(peak, folded.busiest_second(run, span.index))
            continue
        due = all_due[span.holds(all_due)]
        if not len(due):
            continue
        if span.seconds < 1:
            return max(float(peak), len(due) / span.seconds)
        whole = due[due < span.start_ns + int(span.seconds) * NS_PER_S]
        if len(whole):
            peak = max(peak, int(np.bincount((whole - span.start_ns) // NS_PER_S).max()))
    return float(peak)
