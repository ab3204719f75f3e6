"""Who gets a tuple when the plan comes in parts: only tuples that are taken are remembered.

The rule is that of `stretches`, group by group: within a stretch no longer than the shortest hold
all that comes back is known, so the n-th to succeed is the first who comes neither before the n-th
release nor before the one who succeeded last. Here the releases live on from part to part, and who
had a tuple before is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.int64]
    Mask = NDArray[np.bool_]


class Fates(Protocol):
    """Decides row after row; rows must come in order."""

    def take(self, due: Times, hold: Times, first: int) -> Mask:
        """Which rows get a tuple, shape (rows,).

        Args:
            due: ns, shape (rows,), ascending and not before any that was given earlier.
            hold: how long each would hold its tuple, ns, above 0; one value where all are alike.
            first: index of the first row in the whole plan.
        """
        ...

    def in_use(self, now_ns: int) -> NDArray[np.int64]:
        """Tuples of each group that are not free at a moment, shape (groups,)."""
        ...


class FatesByArrays:
    """`Fates` by numpy.

    Args:
        turn: group of each row by its index modulo the length of this, shape (period,).
        tuples: of each group.
    """

    def __init__(self, turn: NDArray[np.int64], tuples: int) -> None:
        self._period = len(turn)
        self._places = [np.flatnonzero(turn == one) for one in range(int(turn.max()) + 1)]
        self._groups = [_Group(tuples) for _ in self._places]

    def take(self, due: Times, hold: Times, first: int) -> Mask:
        """As `Fates` says."""
        taken: Mask = np.zeros(len(due), dtype=np.bool_)
        for places, group in zip(self._places, self._groups, strict=True):
            rows = self._rows(places, first, len(due))
            taken[rows] = group.take(due[rows], hold if len(hold) == 1 else hold[rows])
        return taken

    def _rows(self, places: NDArray[np.int64], first: int, count: int) -> slice | NDArray[np.int64]:
        """Rows of a group among so many, of which the first has such an index in the plan."""
        begins = (places - first) % self._period
        if len(begins) == 1:
            return slice(int(begins[0]), count, self._period)
        return np.sort(np.concatenate([np.arange(at, count, self._period) for at in begins]))

    def in_use(self, now_ns: int) -> NDArray[np.int64]:
        """As `Fates` says."""
        return np.array([group.in_use(now_ns) for group in self._groups], dtype=np.int64)


class _Group:
    """The tuples of one group that compete for the same ports."""

    def __init__(self, tuples: int) -> None:
        self._tuples = tuples
        self._blocks: list[Times] = []  # when tuples come back, in blocks of any order
        self._held = 0  # how many these are; some may be back already

    def in_use(self, now_ns: int) -> int:
        return sum(int(np.count_nonzero(block > now_ns)) for block in self._blocks)

    def take(self, due: Times, hold: Times) -> Mask:
        taken: Mask = np.ones(len(due), dtype=np.bool_)
        least = int(hold.min()) if len(due) else 0
        begin = 0
        while begin < len(due):
            end = len(due)
            if self._held + end - begin > self._tuples:
                end = int(np.searchsorted(due, due[begin] + least, side="left"))
                self._match(due[begin:end], taken[begin:end])
            chosen = slice(begin, end) if taken[begin:end].all() else begin + np.flatnonzero(
                taken[begin:end]
            )  # fmt: skip
            back = due[chosen] + (hold if len(hold) == 1 else hold[chosen])
            self._blocks.append(back)
            self._held += len(back)
            begin = end
        return taken

    def _match(self, come: Times, taken: Mask) -> None:
        """Match those who come within a stretch with what is free or comes back; fill `taken`."""
        back = np.concatenate([come[:0], *(block[block > come[0]] for block in self._blocks)])
        self._blocks, self._held = [back], len(back)
        free = self._tuples - len(back)
        if free >= len(come):
            return
        back.sort()
        known = int(np.searchsorted(back, come[-1], side="right"))
        first = np.searchsorted(come, back[:known], side="left")
        place = np.concatenate([np.zeros(free, dtype=np.int64), first])
        turn = np.arange(len(place))
        chosen = np.maximum.accumulate(place - turn) + turn
        taken[:] = False
        taken[chosen[: int(np.searchsorted(chosen, len(come), side="left"))]] = True
