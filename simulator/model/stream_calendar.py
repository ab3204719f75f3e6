"""Fates by the loop of `stream_loops`, compiled or not, with the calendar that it needs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.model import stream_loops
from simulator.model.compiled import compiler
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simulator.model.stream_fates import Fates, Mask, Times

    Loop = Callable[..., Any]

#: Arrivals in the time of one bucket: fewer make a large ring, more make long lists.
_ARRIVALS: Final = 8
#: The ring covers so many mean holds; what comes back later goes round once more.
_HOLDS: Final = 2
_FEWEST, _MOST = 1 << 8, 1 << 22
_ENTRIES: Final = 1 << 12


class FatesByCalendar:
    """`stream_fates.Fates`, row by row.

    Args:
        turn: group of each row by its index modulo the length of this, shape (period,).
        tuples: of each group.
        rate_per_s: about how many rows are due in a second.
        hold_ns: about how long a tuple is held.
        loop: `stream_loops.take`, or the same compiled.
    """

    def __init__(
        self,
        turn: NDArray[np.int64],
        tuples: int,
        *,
        rate_per_s: float,
        hold_ns: float,
        loop: Loop = stream_loops.take,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._tuples = tuples
        width_ns = max(1.0, _ARRIVALS * NS_PER_S / rate_per_s)
        self._shift = int(np.log2(width_ns))
        buckets = _HOLDS * hold_ns / 2**self._shift
        size = 1 << int(np.ceil(np.log2(min(max(buckets, _FEWEST), _MOST))))
        self._head = np.full(size, stream_loops.NONE, dtype=np.int32)
        self._in_use = np.zeros(int(turn.max()) + 1, dtype=np.int64)
        self._cursor = np.array([0, stream_loops.NONE], dtype=np.int64)
        self._link = np.empty(0, dtype=np.int32)
        self._back: Times = np.empty(0, dtype=np.int64)
        self._owner = np.empty(0, dtype=np.int32)
        self._more(_ENTRIES)

    def _more(self, count: int) -> None:
        """Make room for so many more tuples that are taken at once."""
        assert self._cursor[stream_loops.UNUSED] == stream_loops.NONE
        before = len(self._link)
        links = np.arange(before + 1, before + count + 1, dtype=np.int32)
        links[-1] = stream_loops.NONE
        self._link = np.concatenate([self._link, links])
        self._back = np.concatenate([self._back, np.zeros(count, dtype=np.int64)])
        self._owner = np.concatenate([self._owner, np.zeros(count, dtype=np.int32)])
        self._cursor[stream_loops.UNUSED] = before

    def take(self, due: Times, hold: Times, first: int) -> Mask:
        """As `stream_fates.Fates` says."""
        taken: Mask = np.zeros(len(due), dtype=np.bool_)
        done = 0
        while True:
            place = (first + done) % len(self._turn)
            done = self._loop(
                *(due, hold, done, self._turn, place, self._tuples, self._shift, self._in_use),
                *(self._head, self._link, self._back, self._owner, self._cursor, taken),
            )
            if done == len(due):
                return taken
            self._more(len(self._link))

    def in_use(self, now_ns: int) -> NDArray[np.int64]:
        """As `stream_fates.Fates` says; in O(tuples that were ever taken at once)."""
        spare = np.zeros(len(self._link), dtype=np.bool_)
        entry = int(self._cursor[stream_loops.UNUSED])
        while entry != stream_loops.NONE:
            spare[entry] = True
            entry = int(self._link[entry])
        held = ~spare & (self._back > now_ns)
        return np.bincount(self._owner[held], minlength=len(self._in_use))


@cache
def fast_loop() -> Loop | None:
    """`stream_loops.take` compiled and ready, None where there is no compiler."""
    make = compiler()
    if make is None:
        return None
    loop = make(stream_loops.take)
    one = np.zeros(1, dtype=np.int64)
    ready: Fates = FatesByCalendar(one, 1, rate_per_s=1.0, hold_ns=1.0, loop=loop)
    ready.take(one, one + 1, 0)
    return loop
