"""How long it took until connections succeeded again after backends left or came back.

The ok rate is taken relative to the rate asked, in bins of 100 ms by the moment of sending, so
that neither Poisson arrivals nor a ramp look like a fall. What it was before is the median of the
second before the event: connections that the event cut had been sent a little earlier, and a
median does not mind these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.records import Outcome
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run

EVENTS: Final = ("backend-left", "backend-back")
BIN_NS: Final = NS_PER_S // 10
#: Bins that say what was usual before.
_BEFORE: Final = 10
_FEWEST_BEFORE: Final = 3
#: Back is within so much of before ...
BACK: Final = 0.95
#: ... for so many bins in a row, since one good bin may be luck.
_STEADY: Final = 3

Floats = np.ndarray[Any, np.dtype[np.float64]]


def ok_shares(run: Run) -> Floats:
    """Of what was sent in each bin, the share that ended well; nan where nothing was sent."""
    sent, outcome = run.connections["sent_ns"], run.connections["outcome"]
    taken = sent >= 0
    bins = (sent[taken] // BIN_NS).astype(np.int64)
    size = int(bins.max(initial=-1)) + 1
    asked = np.bincount(bins, minlength=size).astype(np.float64)
    ok = np.bincount(bins[outcome[taken] == Outcome.OK], minlength=size).astype(np.float64)
    shares: Floats = np.divide(ok, asked, out=np.full(size, np.nan), where=asked > 0)
    return shares


def _moments(run: Run) -> list[list[Mapping[str, Any]]]:
    """Churn events, those of one kind within one bin together."""
    found: list[list[Mapping[str, Any]]] = []
    for event in run.events:
        if event.get("event") not in EVENTS:
            continue
        first = found[-1][0] if found else None
        if (
            first is not None
            and all(first.get(key) == event.get(key) for key in ("event", "how"))
            and int(event["t_ns"]) - int(first["t_ns"]) < BIN_NS
        ):
            found[-1].append(event)
        else:
            found.append([event])
    return found


def recoveries(run: Run) -> list[dict[str, Any]]:
    """``recoveries`` of a summary, in time order.

    Returns:
        Per moment of churn ``t_s``, ``event``, ``how``, ``backends`` (ids), ``ok_before`` and
        ``ok_lowest`` (shares of what was sent; the lowest until it was back, or ever after), and
        ``recovery_s``: 0.0 when the share never left the band, None when it did not come back or
        what was before is not known.
    """
    moments = _moments(run)
    if not moments:
        return []
    shares = ok_shares(run)
    return [_recovery(events, shares) for events in moments]


def _recovery(events: Sequence[Mapping[str, Any]], shares: Floats) -> dict[str, Any]:
    t_ns = int(events[0]["t_ns"])
    at = max(0, t_ns // BIN_NS)
    earlier = shares[max(0, at - _BEFORE) : at]
    earlier = earlier[~np.isnan(earlier)]
    before = float(np.median(earlier)) if len(earlier) >= _FEWEST_BEFORE else None
    later = shares[at:]
    back = _first_steady(later, before)
    seen = later if back is None else later[: max(1, back)]
    seen = seen[~np.isnan(seen)]
    since_s = None
    if back is not None:
        # The bin of the event began before it.
        since_s = max(0.0, ((at + back) * BIN_NS - t_ns) / NS_PER_S)
    return {
        "t_s": t_ns / NS_PER_S,
        "event": events[0]["event"],
        "how": events[0].get("how"),
        "backends": [event.get("backend") for event in events],
        "ok_before": before,
        "ok_lowest": float(seen.min()) if len(seen) else None,
        "recovery_s": since_s,
    }


def _first_steady(later: Floats, before: float | None) -> int | None:
    """Index of the first of several bins in a row that are back; None when there are none.

    At the end of a run fewer bins than that are enough, as there are no more.
    """
    if not before:
        return None
    good = np.isnan(later) | (later >= BACK * before)
    for index in range(len(good)):
        if good[index : index + _STEADY].all() and not np.isnan(later[index:]).all():
            return index
    return None
