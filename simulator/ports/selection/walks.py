"""Walks over a range: in which order ports are tried, whoever asks whether one is free.

Allocators of listening ports and selectors of source ports go the same ways; the first ask bind(),
the second the occupancy that their caller keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.ports.range import PortRange
    from simulator.seeds import Random

#: N of algorithm 5: "a value of 500 is a good trade-off" (RFC 6056 section 3.3.5).
LARGEST_INCREMENT: Final = 500


def random_candidates(ports: PortRange, generator: Random) -> Iterator[int]:
    """All ports of the range, each once, in uniformly random order (RFC 6056 section 3.3.2).

    A lazy Fisher-Yates shuffle: O(1) memory for each candidate actually tried.
    """
    moved: dict[int, int] = {}
    for left in range(len(ports), 0, -1):
        pick = generator.randrange(left)
        yield ports.first + moved.get(pick, pick)
        moved[pick] = moved.get(left - 1, left - 1)


def permanent_candidates(ports: PortRange, index: int) -> Iterator[int]:
    """The index-th port of the range, then those after it, each once, with wrap."""
    for step in range(len(ports)):
        yield ports.first + (index + step) % len(ports)


def redraws(ports: PortRange, draw: Callable[[int], int]) -> Iterator[int]:
    """As many independent draws as there are ports; some ports are missed (RFC 6056, algorithm 2).

    Args:
        ports: the range.
        draw: a uniform whole number below its argument.
    """
    for _ in range(len(ports)):
        yield ports.first + draw(len(ports))


class RandomSteps:
    """RFC 6056 algorithm 5: one place for all, each candidate 1 to N after the one before.

    Args:
        draw: a uniform whole number below its argument; also picks where it begins.
        largest: N, cut to the size of the range.
    """

    def __init__(
        self, ports: PortRange, draw: Callable[[int], int], largest: int = LARGEST_INCREMENT
    ) -> None:
        self._ports = ports
        self._draw = draw
        self._largest = min(largest, len(ports))
        self._last = draw(len(ports))

    def candidates(self) -> Iterator[int]:
        """As many candidates as there are ports; each step is kept, also of those not wanted."""
        size = len(self._ports)
        for _ in range(size):
            self._last = (self._last + self._draw(self._largest) + 1) % size
            yield self._ports.first + self._last
