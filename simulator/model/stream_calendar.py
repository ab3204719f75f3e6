"""Fates by the loop of `stream_loops`, compiled or not, with the calendar that it needs."""

from __future__ import annotations

from dataclasses import dataclass
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

#: Arrivals within an hour: fewer make many hours, more make them long to look through.
_PER_HOUR: Final = 8
#: Arrivals within a day, at most: what comes back in one should fit a core's own cache.
_PER_DAY: Final = 1 << 13
#: The calendar covers so many mean holds; what comes back later goes round once more.
_HOLDS: Final = 2
_FEWEST_DAYS, _MOST_DAYS = 1 << 4, 1 << 20
_ROOM: Final = 64


class FatesByCalendar:
    """`stream_fates.Fates`, row by row.

    Args:
        turn: group of each row by its index modulo the length of this, shape (period,).
        tuples: of each group.
        rate_per_s: about how many rows are due in a second.
        least_ns: no tuple is held for less.
        hold_ns: about how long one is held.
        loop: `stream_loops.take`, or the same compiled.
    """

    def __init__(
        self,
        turn: NDArray[np.int64],
        tuples: int,
        *,
        rate_per_s: float,
        least_ns: int,
        hold_ns: float,
        loop: Loop = stream_loops.take,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._tuples = tuples
        arrival_ns = NS_PER_S / rate_per_s
        self._day_bits = int(np.log2(min(least_ns, max(1.0, _PER_DAY * arrival_ns))))
        hour = int(np.log2(max(1.0, _PER_HOUR * arrival_ns)))
        self._hour_bits = min(self._day_bits, hour)
        days = _HOLDS * hold_ns / 2**self._day_bits
        size = 1 << int(np.ceil(np.log2(min(max(days, _FEWEST_DAYS), _MOST_DAYS))))
        self._tail = np.full(size, stream_loops.NONE, dtype=np.int32)
        self._hours = np.zeros((1 << (self._day_bits - self._hour_bits)) + 1, dtype=np.int32)
        self._in_use = np.zeros(int(turn.max()) + 1, dtype=np.int64)
        self._cursor = np.zeros(stream_loops.CURSORS, dtype=np.int64)
        self._cursor[stream_loops.UNUSED] = stream_loops.NONE
        self._before = self._filled = self._owner = self._whose = np.empty(0, dtype=np.int32)
        self._back: Times = np.empty(0, dtype=np.int64)
        self._today: Times = np.empty(0, dtype=np.int64)
        self._more_blocks(_ROOM)

    def _more_blocks(self, count: int) -> None:
        """Make room for so many more blocks of tuples that are taken at once."""
        first = len(self._before)
        links = np.arange(first + 1, first + count + 1, dtype=np.int32)
        links[-1] = stream_loops.NONE
        self._before = np.concatenate([self._before, links])
        self._filled = _longer(self._filled, count)
        self._back = _longer(self._back, count * stream_loops.BLOCK)
        self._owner = _longer(self._owner, count * stream_loops.BLOCK)
        self._cursor[stream_loops.UNUSED] = first

    def _longer_days(self, count: int) -> None:
        """Make room for so many more that come back on one day."""
        self._today, self._whose = _longer(self._today, count), _longer(self._whose, count)

    def take(self, due: Times, hold: Times, first: int) -> Mask:
        """As `stream_fates.Fates` says."""
        taken: Mask = np.zeros(len(due), dtype=np.bool_)
        done = 0
        while True:
            place = (first + done) % len(self._turn)
            done = self._loop(
                *(due, hold, done, self._turn, place, self._tuples),
                *(self._day_bits, self._hour_bits, self._in_use, self._tail, self._before),
                *(self._filled, self._back, self._owner, self._hours, self._today, self._whose),
                *(self._cursor, taken),
            )
            if done == len(due):
                return taken
            if self._cursor[stream_loops.WANTS] == stream_loops.BLOCKS:
                self._more_blocks(len(self._before))
            else:
                self._longer_days(max(_ROOM, len(self._today)))

    def in_use(self, now_ns: int) -> NDArray[np.int64]:
        """As `stream_fates.Fates` says."""
        entry, hours = int(self._cursor[stream_loops.ENTRY]), self._hours
        left = slice(entry, int(hours[-1]))
        gone = self._whose[left][self._today[left] <= now_ns]
        return self._in_use - np.bincount(gone, minlength=len(self._in_use))


class FatesInTurn:
    """`stream_fates.Fates` where all are held for the same time.

    Args:
        turn: group of each row by its index modulo the length of this, shape (period,).
        tuples: of each group.
        loop: `stream_loops.take_in_turn`, or the same compiled.
    """

    def __init__(
        self, turn: NDArray[np.int64], tuples: int, *, loop: Loop = stream_loops.take_in_turn
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._tuples = tuples
        self._in_use = np.zeros(int(turn.max()) + 1, dtype=np.int64)
        self._cursor = np.zeros(2, dtype=np.int64)
        self._back: Times = np.zeros(_ROOM, dtype=np.int64)
        self._owner = np.zeros(_ROOM, dtype=np.int32)

    def take(self, due: Times, hold: Times, first: int) -> Mask:
        """As `stream_fates.Fates` says."""
        taken: Mask = np.zeros(len(due), dtype=np.bool_)
        done = 0
        while True:
            place = (first + done) % len(self._turn)
            done = self._loop(
                *(due, int(hold[0]), done, self._turn, place, self._tuples),
                *(self._in_use, self._back, self._owner, self._cursor, taken),
            )
            if done == len(due):
                return taken
            self._widen()

    def _widen(self) -> None:
        """Twice the ring, which is full: in order from its oldest entry."""
        size = len(self._back)
        order = np.arange(self._cursor[0], self._cursor[1]) % size
        self._back = _longer(self._back[order], size)
        self._owner = _longer(self._owner[order], size)
        self._cursor[:] = 0, size

    def in_use(self, now_ns: int) -> NDArray[np.int64]:
        """As `stream_fates.Fates` says."""
        places = np.arange(self._cursor[0], self._cursor[1]) % len(self._back)
        gone = self._owner[places][self._back[places] <= now_ns]
        return self._in_use - np.bincount(gone, minlength=len(self._in_use))


def _longer(values: NDArray[Any], count: int) -> NDArray[Any]:
    return np.concatenate([values, np.zeros(count, dtype=values.dtype)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """The loops of `stream_loops`, compiled and ready."""

    take: Loop
    take_in_turn: Loop
    most_open: Loop


@cache
def fast_loops() -> Loops | None:
    """The compiled loops, None where there is no compiler."""
    make = compiler()
    if make is None:
        return None
    loops = Loops(
        take=make(stream_loops.take),
        take_in_turn=make(stream_loops.take_in_turn),
        most_open=make(stream_loops.most_open),
    )
    one = np.zeros(1, dtype=np.int64)
    ready: Fates = FatesByCalendar(one, 1, rate_per_s=1.0, least_ns=1, hold_ns=1.0, loop=loops.take)
    for one_way in (ready, FatesInTurn(one, 1, loop=loops.take_in_turn)):
        one_way.take(one, one + 1, 0)
    loops.most_open(one, one, 0)
    return loops
