"""The course of one hop's occupancy: a sparkline of the whole run, and when the wall is due."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, inf
from typing import TYPE_CHECKING, Final

from simulator.theory.trend import wall_by_trend_s
from simulator.units import NS_PER_S, format_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Nothing, eight steps, and the last only for a budget that is used up.
STEPS: Final = " ▁▂▃▄▅▆▇█"
#: A trend is looked for in so much time before now.
_WINDOW_S: Final = 5.0
#: What is further away than this many windows is no forecast.
_REACH: Final = 60
_MOST: Final = 240


def sparkline(shares: Sequence[float]) -> str:
    """One character for each share of a budget.

    A share above 0 is never blank, and only a whole budget fills its cell.
    """
    top = len(STEPS) - 1
    return "".join(
        STEPS[top] if share >= 1 else STEPS[min(top - 1, ceil(max(0.0, share) * top))]
        for share in shares
    )


class Track:
    """What was in use of one budget over a run, in bounded memory.

    When there are too many moments, each two become one with the greater of their values: the
    course gets coarser, and no peak is lost.
    """

    def __init__(self) -> None:
        self._peaks: list[float] = []
        self._per_peak = 1
        self._pending: list[float] = []
        self._recent: list[tuple[float, float]] = []
        self.budget = 0

    def note(self, t_s: float, in_use: int, budget: int) -> None:
        """Take one sample, later than the one before."""
        self.budget = budget
        self._pending.append(in_use / budget if budget else 0.0)
        if len(self._pending) >= self._per_peak:
            self._peaks.append(max(self._pending))
            self._pending.clear()
        if len(self._peaks) >= _MOST:
            pairs = zip(self._peaks[::2], self._peaks[1::2], strict=True)
            self._peaks = [max(pair) for pair in pairs]
            self._per_peak *= 2
        self._recent.append((t_s, in_use))
        while self._recent[0][0] < t_s - _WINDOW_S:
            self._recent.pop(0)

    def shares(self, width: int) -> list[float]:
        """The course so far in at most ``width`` steps, each the greatest share within it."""
        peaks = self._peaks + ([max(self._pending)] if self._pending else [])
        if len(peaks) <= width:
            return peaks
        edges = [at * len(peaks) // width for at in range(width + 1)]
        return [max(peaks[low:high]) for low, high in pairwise(edges)]

    @property
    def left(self) -> int:
        """What is left of the budget."""
        return max(0, self.budget - int(self._recent[-1][1])) if self._recent else self.budget

    @property
    def wall_s(self) -> float:
        """Seconds to the wall at this pace: 0 = there; infinite = no trend toward it."""
        if not self.budget:
            return inf
        # A rise that TIME_WAIT has bent flat meanwhile is one over the whole time only.
        found = max(
            self._wall_s(self._recent), self._wall_s(self._recent[len(self._recent) // 2 :])
        )
        return found if found <= _REACH * _WINDOW_S else inf

    def _wall_s(self, seen: Sequence[tuple[float, float]]) -> float:
        return wall_by_trend_s([t for t, _ in seen], [n for _, n in seen], self.budget)

    def outlook(self) -> str:
        """What is left and when it will be gone, in words."""
        left, wall_s = f"{self.left:,} left", self.wall_s
        if self.left == 0:
            return "none left: at the wall"
        if wall_s == inf:
            return left
        return f"{left}, wall in {format_ns(round(wall_s, 1 if wall_s < 10 else 0) * NS_PER_S)}"
