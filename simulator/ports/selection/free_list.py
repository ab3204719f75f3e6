"""Which free port is taken next, when the program picks and not the kernel.

One list belongs to one pair of source address and destination: a port is free *toward a
destination*, since the tuple and not the port is the scarce thing. There may be thousands of
pairs, so a list costs nothing until its ports are used: all pairs share one order of the ports
(shuffled once, or ascending), each remembers how far along it is and what came back.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.ports.range import PortRange
    from simulator.seeds import Random

NO_PORT_LEFT = 0


class FreePorts(Protocol):
    """The ports that are free toward one destination."""

    def take(self) -> int:
        """Remove and return one port, or NO_PORT_LEFT."""
        ...

    def give_back(self, port: int) -> None:
        """Return a port that ``take`` gave and nobody uses any more."""
        ...

    def __len__(self) -> int: ...


def usable_ports(ports: PortRange, reserved: Iterable[PortRange] = ()) -> array[int]:
    """The ports of a range in ascending order, without the reserved ones."""
    blocked = set[int]()
    for block in reserved:
        blocked.update(range(block.first, block.last + 1))
    return array("H", (p for p in range(ports.first, ports.last + 1) if p not in blocked))


def shuffled(ports: array[int], generator: Random) -> array[int]:
    """A copy of the ports in random order."""
    mixed = list(ports)
    generator.shuffle(mixed)
    return array("H", mixed)


class RandomFreePorts:
    """Every free port is equally likely to be next.

    Untouched ports are the tail of ``order``; which of them is "next" does not matter as long as
    the order was shuffled, so a draw falls either on the tail as a whole or on one port that came
    back, each with the weight of the ports it stands for. O(1) for each call.

    Args:
        order: the usable ports in random order, shared by many lists and never changed.
        generator: where the draws come from.
    """

    __slots__ = ("_draw", "_next", "_order", "_returned", "_start")

    def __init__(self, order: array[int], generator: Random) -> None:
        self._order = order
        self._draw = generator.random
        # Each list starts elsewhere in the shared order, or all pairs would take the same ports.
        self._start = int(generator.random() * len(order))
        self._next = 0
        self._returned: list[int] = []

    def __len__(self) -> int:
        return len(self._order) - self._next + len(self._returned)

    def take(self) -> int:
        """A free port, uniformly at random, or NO_PORT_LEFT."""
        returned = self._returned
        untouched = len(self._order) - self._next
        free = untouched + len(returned)
        if not free:
            return NO_PORT_LEFT
        drawn = int(self._draw() * free)
        if drawn < untouched:
            port = self._order[(self._start + self._next) % len(self._order)]
            self._next += 1
            return port
        # Move the last into the gap: a list with holes would have to be searched.
        drawn -= untouched
        last = returned.pop()
        if drawn == len(returned):
            return last
        port = returned[drawn]
        returned[drawn] = last
        return port

    def give_back(self, port: int) -> None:
        """Make a port free again."""
        self._returned.append(port)


class SequentialFreePorts:
    """The ports in turn; after the first round, the one free for longest comes first.

    That gives the longest time between two uses of a tuple. O(1) for each call.

    Args:
        order: the usable ports in ascending order, shared by many lists and never changed.
    """

    __slots__ = ("_next", "_order", "_returned")

    def __init__(self, order: array[int]) -> None:
        self._order = order
        self._next = 0
        self._returned: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._order) - self._next + len(self._returned)

    def take(self) -> int:
        """The next port in turn, or NO_PORT_LEFT."""
        if self._next < len(self._order):
            port = self._order[self._next]
            self._next += 1
            return port
        return self._returned.popleft() if self._returned else NO_PORT_LEFT

    def give_back(self, port: int) -> None:
        """Make a port free again, last in turn."""
        self._returned.append(port)
