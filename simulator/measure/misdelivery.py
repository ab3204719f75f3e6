"""Connections that the wrong backend answered: how many, and what keeps it from happening.

Nothing fails when it happens, which is what makes it the worst kind of churn: an endpoint was given
back, somebody else took it, and whoever picks backends had not been told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.measure.moves import astray
from simulator.measure.waiting_findings import Finding
from simulator.units import format_count, format_ns

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.measure.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Misdelivered:
    """What went to the wrong backend.

    Attributes:
        count: connects that another backend's port took.
        meant_for: ids of the backends they were meant for, ascending.
        first_ns: moment of the first.
    """

    count: int
    meant_for: tuple[int, ...]
    first_ns: int


def misdelivered(run: Run) -> Misdelivered | None:
    """Connects that reached a port which belonged to somebody else by then; None without any."""
    if not any(event.get("event") == "backend-left" for event in run.events):
        return None
    dials, foreign, _ = astray(run)
    wrong = foreign & (dials.error == 0)
    if not wrong.any():
        return None
    return Misdelivered(
        count=int(np.count_nonzero(wrong)),
        meant_for=tuple(int(one) for one in np.unique(dials.backend[wrong])),
        first_ns=int(dials.t_ns[wrong].min()),
    )


def misdelivery(evidence: Evidence) -> Finding:
    """The sentence, and the remedies with their arithmetic."""
    wrong, scenario = evidence.odd.misdelivered, evidence.scenario
    assert wrong is not None, "the cause was counted from it"
    backends, learns_ns = scenario.backends, scenario.balancer.learns_after
    count, learns = format_count(wrong.count), format_ns(learns_ns)
    wait_ns = scenario.balancer.connect_timeout
    rest_ns = learns_ns + wait_ns
    rests = format_ns(backends.quarantine) if backends.quarantine else "none"
    remedies = [
        (
            f"let a port rest before it is taken again (backends.quarantine: "
            f"{rests} -> {format_ns(rest_ns)} = {learns} until who picks "
            f"is told + {format_ns(wait_ns)} that a connect may be on its way): {count} -> 0 "
            f"misdelivered; they are refused instead, and a retry can save those"
        ),
        (
            f"tell who picks sooner (balancer.learns_after: {learns} -> {format_ns(learns_ns / 2)}"
            f"): half as long, half as many, {count} -> {format_count(wrong.count / 2)}"
        ),
    ]
    ports = backends.listen_range
    if ports is not None and len(ports) >= backends.count:
        size = len(ports)
        remedies.append(
            f"a wider range of listening ports (backends.range): with {backends.count} backends on "
            f"{format_count(size)} ports an old one is taken again with a chance of "
            f"{backends.count}/{size}, with ten times the ports {backends.count}/{10 * size}"
        )
    return Finding(
        sentence=(
            f"{count} connections were answered by the wrong backend, and nothing failed: "
            f"{len(wrong.meant_for)} of {backends.count} backends had moved, others had taken "
            f"their old ports, and who picks was told {learns} late"
        ),
        remedies=remedies,
        evidence={
            "misdelivered": wrong.count,
            "meant_for": list(wrong.meant_for),
            "first_s": wrong.first_ns / 1e9,
            "quarantine_ns": backends.quarantine,
            "enough_ns": rest_ns,
        },
    )
