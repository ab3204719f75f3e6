"""Load as somebody sees it who hears of every change only after a while.

Balancers that share counts, or ask backends for theirs, always decide on the past. With counts of
age T the least loaded of then gets everything for a time T: a herd. A draw among few of many dulls
that, a draw at random is immune to it.

Source: Mitzenmacher, "How Useful Is Old Information?", IEEE TPDS 11(1), 2000 (the model of
continuous update, in which every look is exactly T old).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from simulator.balancing.load import Load

if TYPE_CHECKING:
    from collections.abc import Callable


class AgedLoad(Load):
    """True counts, and beside them the counts as they stood some time ago.

    Args:
        age_ns: how old the counts are that are seen.
        clock: the present time in ns; it never goes back.
        seen: the load that the policy compares; changes reach it late.

    Attributes:
        seen: see there; it is right for ``age_ns`` ago after `catch_up`.
    """

    def __init__(self, age_ns: int, clock: Callable[[], int], seen: Load) -> None:
        super().__init__()
        self.seen = seen
        self._age_ns = age_ns
        self._clock = clock
        self._news: deque[tuple[int, int, bool]] = deque()

    def insert(self, backend_id: int) -> None:
        """A backend may be picked from now on; membership is never old here, only counts are."""
        super().insert(backend_id)
        self.seen.insert(backend_id)

    def remove(self, backend_id: int) -> None:
        """A backend is not picked any more."""
        self.seen.remove(backend_id)

    def opened(self, backend_id: int) -> None:
        """A connection to this backend was begun."""
        self.open[backend_id] += 1
        self._news.append((self._clock() + self._age_ns, backend_id, True))

    def closed(self, backend_id: int) -> None:
        """A connection to this backend ended."""
        self.open[backend_id] -= 1
        self._news.append((self._clock() + self._age_ns, backend_id, False))

    def catch_up(self, now_ns: int) -> Load:
        """What is seen now: every change that is old enough. O(1) for each change."""
        news, seen = self._news, self.seen
        while news and news[0][0] <= now_ns:
            _, backend_id, has_opened = news.popleft()
            if has_opened:
                seen.opened(backend_id)
            else:
                seen.closed(backend_id)
        return seen
