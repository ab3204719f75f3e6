"""How many tuples toward each backend are in use: open ones, and those that TIME_WAIT still holds.

A balancer that knows its own connections knows this without asking the kernel: it opened them, and
it knows for how long the kernel keeps the tuple of one that it closed first. Toward every
destination there is the same budget of tuples, so what remains is the budget less what is in use.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from simulator.balancing.load import Load, RankedLoad

if TYPE_CHECKING:
    from collections.abc import Callable


class TupleUse(Load):
    """Tuples in use toward each backend, ranked; `open` counts connections as ever.

    Args:
        budget: tuples that can be had toward one backend, from all source addresses.
        hold_ns: how long a tuple is held after its connection was closed here.
        clock: the present time in ns; it never goes back.
    """

    def __init__(self, budget: int, hold_ns: int, clock: Callable[[], int]) -> None:
        super().__init__()
        self._budget = budget
        self._hold_ns = hold_ns
        self._clock = clock
        self._in_use = RankedLoad()
        self._held: deque[tuple[int, int]] = deque()

    def insert(self, backend_id: int) -> None:
        """A backend may be picked from now on."""
        super().insert(backend_id)
        self._in_use.insert(backend_id)

    def remove(self, backend_id: int) -> None:
        """A backend is not picked any more."""
        self._in_use.remove(backend_id)

    def opened(self, backend_id: int) -> None:
        """A connection to this backend was begun."""
        self.open[backend_id] += 1
        self._in_use.opened(backend_id)

    def closed(self, backend_id: int) -> None:
        """A connection to this backend ended; its tuple stays in use for a while."""
        self.open[backend_id] -= 1
        if self._hold_ns:
            self._held.append((self._clock() + self._hold_ns, backend_id))
        else:
            self._in_use.closed(backend_id)

    def remaining(self, backend_id: int) -> int:
        """Tuples that can be had toward a backend now."""
        self._release()
        return max(0, self._budget - self._in_use.open[backend_id])

    def richest(self) -> list[list[int]]:
        """Backends in groups of equal remaining budget, the largest first."""
        self._release()
        return self._in_use.from_least()

    def _release(self) -> None:
        held = self._held
        if held and held[0][0] <= (now_ns := self._clock()):
            while held and held[0][0] <= now_ns:
                self._in_use.closed(held.popleft()[1])
