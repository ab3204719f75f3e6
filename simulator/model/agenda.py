"""What happens next: calls by the moment they are due, in exact order."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER: Final = 1 << 62


class Agenda:
    """A heap of calls; those due at one moment come in the order in which they were put in.

    Attributes:
        now_ns: the moment of the call under way, ns since the start of the run.
    """

    __slots__ = ("_heap", "_serial", "now_ns")

    def __init__(self) -> None:
        self.now_ns = 0
        self._heap: list[tuple[int, int, Callable[[Any, Any], None], Any, Any]] = []
        self._serial = 0

    def at(self, t_ns: int, call: Callable[[Any, Any], None], one: object, two: object) -> None:
        """Call with two arguments at a moment that is not over yet."""
        self._serial += 1
        heappush(self._heap, (t_ns, self._serial, call, one, two))

    @property
    def next_ns(self) -> int:
        """When the next call is due, NEVER when there is none."""
        return self._heap[0][0] if self._heap else NEVER

    def step(self) -> None:
        """Do the next call."""
        self.now_ns, _, call, one, two = heappop(self._heap)
        call(one, two)
