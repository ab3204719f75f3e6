"""The five algorithms of RFC 6056, section 3.3.

In the text of algorithms 1 and 2 the port that is checked is not the one that is returned, an
evident slip: here the candidate is checked. Counters do not overflow. F and G are keyed BLAKE2b;
the text asks for a keyed cryptographic hash (section 3.4), and each seed is another key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.ports.selection.selector import Asked, Walking
from simulator.ports.selection.walks import (
    LARGEST_INCREMENT,
    RandomSteps,
    permanent_candidates,
    redraws,
)
from simulator.seeds import pure_random, stream_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.ports.range import PortRange

#: Counters of algorithm 4; a table of 10 already does better than algorithm 3 (section 3.3.4).
COUNTERS: Final = 10


class SimpleRandom(Walking):
    """Algorithm 1: a uniform start, then one port after the other, with wrap."""

    def __init__(self, ports: PortRange, seed: int) -> None:
        super().__init__(ports)
        self._draw = pure_random(seed, "selection", "simple-random").randrange

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Every port once, from a random one on."""
        del asked
        return permanent_candidates(self.ports, self._draw(len(self.ports)))


class RandomRedraw(Walking):
    """Algorithm 2: uniform draws until one is free, as many as the range has ports."""

    def __init__(self, ports: PortRange, seed: int) -> None:
        super().__init__(ports)
        self._draw = pure_random(seed, "selection", "random-redraw").randrange

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Draws with replacement: some ports are missed."""
        del asked
        return redraws(self.ports, self._draw)


class SimpleHash(Walking):
    """Algorithm 3: one counter for all, shifted by a keyed hash of the destination."""

    def __init__(self, ports: PortRange, seed: int) -> None:
        super().__init__(ports)
        self._offset_of = KeyedHash(seed, "F")
        self._next = pure_random(seed, "selection", "simple-hash").getrandbits(16)

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Every port once, from this destination's place of the counter on."""
        first, size = self.ports.first, len(self.ports)
        offset = self._offset_of(asked.destination)
        for _ in range(size):
            port = first + (self._next + offset) % size
            self._next += 1
            yield port


class DoubleHash(Walking):
    """Algorithm 4: as 3, with a counter for each of a few groups of destinations."""

    def __init__(self, ports: PortRange, seed: int, counters: int = COUNTERS) -> None:
        super().__init__(ports)
        self._offset_of = KeyedHash(seed, "F")
        self._group_of = KeyedHash(seed, "G")
        draw = pure_random(seed, "selection", "double-hash").getrandbits
        self._next = [draw(16) for _ in range(counters)]

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Every port once, from the place of the destination's group on."""
        first, size = self.ports.first, len(self.ports)
        offset = self._offset_of(asked.destination)
        group = self._group_of(asked.destination) % len(self._next)
        for _ in range(size):
            port = first + (self._next[group] + offset) % size
            self._next[group] += 1
            yield port


class RandomIncrements(Walking):
    """Algorithm 5: one place for all that goes on by 1 to N ports at a time."""

    def __init__(self, ports: PortRange, seed: int, largest: int = LARGEST_INCREMENT) -> None:
        super().__init__(ports)
        draw = pure_random(seed, "selection", "random-increments").randrange
        self._steps = RandomSteps(ports, draw, largest)

    def candidates(self, asked: Asked) -> Iterator[int]:
        """As many steps as there are ports: some ports are missed."""
        del asked
        return self._steps.candidates()


class KeyedHash:
    """A function of the destination that only who has the key can follow; 64 bits.

    Args:
        seed: the key.
        name: tells functions of one key apart.
    """

    __slots__ = ("_known", "_name", "_seed")

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name
        self._known: dict[str | int, int] = {}

    def __call__(self, destination: str | int) -> int:
        """The value of a destination; remembered, as connections repeat few destinations."""
        value = self._known.get(destination)
        if value is None:
            value = stream_key(self._seed, "selection", self._name, destination) >> 64
            self._known[destination] = value
        return value
