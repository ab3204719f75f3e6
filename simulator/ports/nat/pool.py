"""The ports that compete with each other, free, in use or resting after their flow has ended.

How long a port rests depends on how its flow ended, so that those that rest come back in an order
of their own: a heap by moment.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from simulator.ports.selection.free_list import NO_PORT_LEFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.ports.selection.free_list import FreePorts

_NOTHING: tuple[tuple[int, int], ...] = ()


class Pool:
    """One set of ports.

    Args:
        free: hands out those that are free, and decides in which order.
        most: most ports in use or resting at once; None is no limit but the ports themselves.

    Attributes:
        open: ports in use.
        resting: (moment of release in ns, port), a heap.
    """

    __slots__ = ("_free", "_most", "open", "resting")

    def __init__(self, free: FreePorts, most: int | None = None) -> None:
        self._free = free
        self._most = most
        self.open = 0
        self.resting: list[tuple[int, int]] = []

    def take(self, now_ns: int) -> int:
        """A free port, or NO_PORT_LEFT."""
        if self.resting:
            self.settle(now_ns)
        if self._most is not None and self.open + len(self.resting) >= self._most:
            return NO_PORT_LEFT
        port = self._free.take()
        if port:
            self.open += 1
        return port

    def give_back(self, port: int, now_ns: int, rest_ns: int) -> None:
        """A flow has ended; its port is free after a rest."""
        self.open -= 1
        if rest_ns:
            heappush(self.resting, (now_ns + rest_ns, port))
        else:
            self._free.give_back(port)

    def settle(self, now_ns: int) -> Sequence[tuple[int, int]]:
        """Free what has rested enough.

        Returns:
            (moment of release in ns, port) of each, in order.
        """
        resting = self.resting
        if not resting or resting[0][0] > now_ns:
            return _NOTHING
        freed = []
        while resting and resting[0][0] <= now_ns:
            one = heappop(resting)
            self._free.give_back(one[1])
            freed.append(one)
        return freed
