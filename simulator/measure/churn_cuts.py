"""Connections that failed because their backend left: cut with it, or refused where it had been.

A client's row does not name its backend, so a cut is laid to churn by its moment: a crash resets
everything as it happens, and a hanging backend when it is back. What coincides with moves no more
often than chance would have it is not laid to them.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.waiting import CUT, errors_by_key
from simulator.records import Call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run
    from simulator.measure.attribution import Causes

#: The event is written down by another process than the one that sees the reset.
_BEFORE_NS: Final = 5_000_000
_AFTER_NS: Final = 50_000_000
#: How often more than by chance cuts must coincide with moves.
_ABOVE_CHANCE: Final = 2.0
_MOVES: Final = ("backend-left", "backend-back")

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnCuts:
    """What moves of backends cost.

    Attributes:
        errors: ``hop/call/ERRNO`` -> failed connections.
        cut: of these, how many were cut as a backend left or came back.
        refused: of these, how many found nobody where a backend had been.
        moments: departures and returns.
    """

    errors: Mapping[str, int]
    cut: int
    refused: int
    moments: int


def churn_cuts(run: Run, causes: Causes) -> ChurnCuts | None:
    """Failures that moves of backends explain; None without any."""
    moves = [event for event in run.events if event.get("event") in _MOVES]
    if not moves or not len(causes.row):
        return None
    cut, refused = _cut(run, causes, moves), _refused(run, causes, moves)
    chosen = cut | refused
    if not chosen.any():
        return None
    return ChurnCuts(
        errors=errors_by_key(causes, chosen),
        cut=int(np.count_nonzero(cut)),
        refused=int(np.count_nonzero(refused)),
        moments=len(moves),
    )


def _cut(run: Run, causes: Causes, moves: Sequence[Mapping[str, Any]]) -> Mask:
    """Established connections that ended within a moment of a move."""
    ended = run.connections["closed_ns"][causes.row].astype(np.int64)
    cuts = np.isin(causes.error, CUT) & ~causes.joined & (causes.call != Call.CONNECT)
    times = np.sort(np.array([int(event["t_ns"]) for event in moves], dtype=np.int64))
    last = np.searchsorted(times, ended + _BEFORE_NS, side="right") - 1
    near: Mask = cuts & (last >= 0) & (ended - times[np.maximum(last, 0)] <= _AFTER_NS)
    # How much of the run lies within a moment of a move, overlaps counted once.
    width = _BEFORE_NS + _AFTER_NS
    covered = int(np.minimum(np.diff(times), width).sum()) + width
    by_chance = np.count_nonzero(cuts) * covered / max(run.scenario.duration_ns, covered)
    if np.count_nonzero(near) < _ABOVE_CHANCE * by_chance:
        near[:] = False
    return near


def _refused(run: Run, causes: Causes, moves: Sequence[Mapping[str, Any]]) -> Mask:
    """Dials that were refused by a backend that was away, or was believed to be so."""
    moment = run.connections["sent_ns"][causes.row].astype(np.int64)
    found: Mask = np.zeros(len(causes.row), dtype=np.bool_)
    refused = causes.error == errno.ECONNREFUSED
    late = run.scenario.balancer.learns_after + _AFTER_NS
    left: dict[int, int] = {}
    for event in [*moves, {"event": "end", "t_ns": run.scenario.duration_ns}]:
        kind, at = event["event"], int(event["t_ns"])
        if kind == "backend-left":
            left[int(event["backend"])] = at
            continue
        gone = list(left) if kind == "end" else [int(event["backend"])]
        for backend in gone:
            since = left.pop(backend, None)
            if since is not None:
                away = (moment >= since - _AFTER_NS) & (moment <= at + late)
                found |= refused & (causes.backend == backend) & away
    return found
