"""Connections refused by a backend that had stopped listening for a while, and what mends it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.moves import dials_of
from simulator.measure.waiting import errors_by_key
from simulator.measure.waiting_findings import Finding
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine import Run
    from simulator.measure.attribution import Causes
    from simulator.measure.evidence import Evidence

#: The change is written down after it was made, and a connect may have begun before it.
_SLACK_NS: Final = 50_000_000

Ints = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaps:
    """What backends that stopped listening cost.

    Attributes:
        errors: ``hop/call/ERRNO`` -> failed connections.
        downs: how often one stopped listening.
        backends: ids of those that did, ascending.
        down_ns: how long they did not listen, together.
        refused: connects refused meanwhile, retried or not.
    """

    errors: Mapping[str, int]
    downs: int
    backends: tuple[int, ...]
    down_ns: int
    refused: int


def down_times(run: Run) -> dict[int, list[tuple[int, int]]]:
    """Backend -> from when to when it did not listen, ns since the start."""
    found: dict[int, list[tuple[int, int]]] = {}
    since: dict[int, int] = {}
    for event in run.events:
        if event.get("event") == "backend-down":
            since[int(event["backend"])] = int(event["t_ns"])
        elif event.get("event") == "backend-up":
            backend = int(event["backend"])
            if backend in since:
                found.setdefault(backend, []).append((since.pop(backend), int(event["t_ns"])))
    for backend, at in since.items():
        found.setdefault(backend, []).append((at, max(at, run.scenario.duration_ns)))
    return found


def _inside(moments: Ints, backends: Ints, times: Mapping[int, list[tuple[int, int]]]) -> Mask:
    """Which moments, shape (n,), fall into a time in which their backend did not listen."""
    found: Mask = np.zeros(len(moments), dtype=np.bool_)
    for backend, spans in times.items():
        mine = np.flatnonzero(backends == backend)
        for begin, end in spans:
            at = moments[mine]
            found[mine] |= (at >= begin - _SLACK_NS) & (at <= end + _SLACK_NS)
    return found


def flaps(run: Run, causes: Causes) -> Flaps | None:
    """Failures and refused connects while a flapping backend was down; None if none ever was."""
    times = down_times(run)
    if not times:
        return None
    sent = run.connections["sent_ns"][causes.row].astype(np.int64)
    chosen = (causes.error == errno.ECONNREFUSED) & _inside(sent, causes.backend, times)
    dials = dials_of(run)
    refused = (dials.error == errno.ECONNREFUSED) & _inside(dials.t_ns, dials.backend, times)
    return Flaps(
        errors=errors_by_key(causes, chosen),
        downs=sum(len(spans) for spans in times.values()),
        backends=tuple(sorted(times)),
        down_ns=sum(end - begin for spans in times.values() for begin, end in spans),
        refused=int(np.count_nonzero(refused)),
    )


def backend_flapping(evidence: Evidence) -> Finding:
    """The sentence, and the remedies with their arithmetic."""
    seen, scenario = evidence.odd.flaps, evidence.scenario
    assert seen is not None, "the cause was counted from it"
    count, who = scenario.backends.count, len(seen.backends)
    share = seen.down_ns / (who * scenario.duration_ns)
    astray = who / count * share
    retries = scenario.balancer.retries
    each = format_ns(seen.down_ns / seen.downs)
    remedies = [
        (
            f"find out why it stops: {who} of {count} backends did not listen for "
            f"{100 * share:.0f} % of the time, {format_count(seen.refused)} connects -> 0"
        )
    ]
    if scenario.balancer.driver != "none" and count > who:
        now, then = astray ** (retries + 1), astray ** (retries + 2)
        remedies += [
            (
                f"one more retry (balancer.retries: {retries} -> {retries + 1}): if picks are "
                f"independent, {100 * now:.2g} % -> {100 * then:.2g} % of connections fail"
            ),
            (
                f"leave it out while it refuses (balancer.ejection): "
                f"{format_rate(evidence.asked_per_s * astray)} are refused, with it a few for "
                f"each of {format_count(seen.downs)} stops"
            ),
        ]
    return Finding(
        sentence=(
            f"{who} of {count} backends flapped: they stopped listening "
            f"{format_count(seen.downs)} times, for {each} each, and kept their ports; "
            f"{format_count(seen.refused)} connects were refused meanwhile"
        ),
        remedies=remedies,
        evidence={
            "downs": seen.downs,
            "backends": list(seen.backends),
            "down_s": seen.down_ns / NS_PER_S,
            "down_share": share,
            "refused": seen.refused,
        },
    )
