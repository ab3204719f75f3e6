"""A loss system by arrays: who finds one of so many tuples free, whole stretches at a time.

A tuple that is taken is gone for at least the shortest hold there is. So within a stretch no longer
than that, everything that comes back was taken before the stretch began, and is known. Releases in
order of time are then matched with arrivals: the n-th to succeed is the first arrival that comes
neither before the n-th release nor before the one that succeeded last. That is one running maximum
over arrays, and the same as taking events one by one.

Erlang's loss system is the case of arrivals without memory; nothing here needs that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.int64]
    Mask = NDArray[np.bool_]

#: Of one who took a tuple that nobody had before.
NOBODY: Final = -1
#: Hold of one who never gives its tuple back.
FOR_EVER: Final = 1 << 61


@dataclass(frozen=True, slots=True)
class Served:
    """Who got a tuple.

    Attributes:
        taken: shape (arrivals,).
        before: index of who had the tuple before, NOBODY for a new one; shape (arrivals,), and of
            no meaning where not taken.
    """

    taken: Mask
    before: Times


def serve(arrivals: Times, holds: Times, tuples: int) -> Served:
    """Let arrivals take tuples and hold them; who finds none is lost.

    Args:
        arrivals: ns, shape (n,), ascending; of those that come at one moment the first is served
            first, and a tuple that comes back in that moment is free.
        holds: how long each would hold its tuple, ns, shape (n,), all above 0.
        tuples: how many there are.

    Returns:
        Who was served, and by whose tuple: those that nobody had come first, then the one that has
        been free for longest.
    """
    count = len(arrivals)
    taken: Mask = np.zeros(count, dtype=np.bool_)
    before: Times = np.full(count, NOBODY, dtype=np.int64)
    least = int(holds.min(initial=FOR_EVER))
    # Tuples in order of their release, those never used first; whoever had them beside it.
    releases: Times = np.full(tuples, np.iinfo(np.int64).min, dtype=np.int64)
    owners: Times = np.full(tuples, NOBODY, dtype=np.int64)
    begin = 0
    while begin < count:
        end = int(np.searchsorted(arrivals, arrivals[begin] + least, side="left"))
        come = arrivals[begin:end]
        known = int(np.searchsorted(releases, come[-1], side="right"))
        first = np.searchsorted(come, releases[:known], side="left")
        turn = np.arange(known)
        chosen = np.maximum.accumulate(first - turn) + turn
        chosen = chosen[: int(np.searchsorted(chosen, end - begin, side="left"))]
        rows = chosen + begin
        got = len(rows)
        taken[rows] = True
        before[rows] = owners[:got]
        back = arrivals[rows] + holds[rows]
        releases = np.concatenate([releases[got:], back])
        owners = np.concatenate([owners[got:], rows])
        order = np.argsort(releases, kind="stable")
        releases, owners = releases[order], owners[order]
        begin = end
    return Served(taken=taken, before=before)


def stretches_needed(length_ns: int, holds: Times) -> int:
    """At most how many stretches a time is cut into."""
    least = int(holds.min(initial=FOR_EVER))
    return length_ns // max(least, 1) + 1


def held_at(begins: Times, ends: Times, moments: Times) -> Times:
    """How many intervals ``[begin, end)`` hold at each moment, shape (moments,)."""
    return _by(begins, moments) - _by(ends, moments)


def _by(events: Times, moments: Times) -> Times:
    """How many events there were by each moment; most come in order already."""
    if len(events) > 1 and bool(np.any(events[1:] < events[:-1])):
        events = np.sort(events)
    return np.searchsorted(events, moments, side="right")
