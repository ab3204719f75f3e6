"""Connects that met themselves: how many, out of how many that found nobody."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.measure.moves import dials_of
from simulator.measure.stolen_ports import reservation
from simulator.measure.waiting_findings import Finding
from simulator.records import Ending
from simulator.units import NS_PER_S, format_count

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.measure.attribution import Causes
    from simulator.measure.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfConnects:
    """What was met.

    Attributes:
        count: connects whose other end was their own.
        failed: of these, connections that failed for it; the others were retried.
        refused: connects toward the same backends that were refused, as they should have been.
        backends: ids of those who were meant, ascending.
        first_ns: moment of the first.
    """

    count: int
    failed: int
    refused: int
    backends: tuple[int, ...]
    first_ns: int


def self_connects(run: Run, causes: Causes) -> SelfConnects | None:
    """Connects that met themselves; None without any."""
    dials = dials_of(run)
    met = dials.error == Ending.SELF_CONNECT
    own = causes.error == Ending.SELF_CONNECT
    failed = int(np.count_nonzero(own))
    if not failed and not met.any():
        return None
    # A role that was killed may have lost its last dials, though what failed was written.
    sent = run.connections["sent_ns"][causes.row[own]].astype(np.int64)
    backends = np.unique(np.concatenate([dials.backend[met], causes.backend[own]]))
    backends = backends[backends >= 0]
    refused = (dials.error == errno.ECONNREFUSED) & np.isin(dials.backend, backends)
    return SelfConnects(
        count=max(failed, int(np.count_nonzero(met))),
        failed=failed,
        refused=int(np.count_nonzero(refused)),
        backends=tuple(int(one) for one in backends),
        first_ns=int(np.concatenate([dials.t_ns[met], sent]).min()),
    )


def self_connect(evidence: Evidence) -> Finding:
    """The sentence, and the remedies with their arithmetic."""
    seen, scenario = evidence.odd.self_connects, evidence.scenario
    assert seen is not None, "the cause was counted from it"
    ports = scenario.kernel.port_range
    tries = seen.count + seen.refused
    half = max(1, len(ports) // 2)
    endpoint = next(
        (evidence.endpoints.get(one, f"backend {one}") for one in seen.backends), "its destination"
    )
    who = "The clients" if scenario.balancer.driver == "none" else "The balancer"
    return Finding(
        sentence=(
            f"{who} connected to themselves"
            if scenario.balancer.driver == "none"
            else f"{who} connected to itself"
        )
        + (
            f" {format_count(seen.count)} times, first after {seen.first_ns / NS_PER_S:.1f} s: "
            f"nobody listened on {endpoint}, and the kernel lent that very port to a connect "
            f"toward it, which then read its own request as the answer (1 in "
            f"{tries / seen.count:.0f} of {format_count(tries)} tries; the others were refused)"
        ),
        remedies=[
            *reservation(scenario),
            (
                f"compare getsockname() with getpeername() after connect(), and reset what is the "
                f"same: of {format_count(len(ports))} ports one parity is tried first, so a retry "
                f"meets itself once in {format_count(half)}"
            ),
        ],
        evidence={
            "self_connects": seen.count,
            "retried": seen.count - seen.failed,
            "refused": seen.refused,
            "backends": list(seen.backends),
            "expected": tries / half,
        },
    )
