"""Leases: who held which listening port from when to when, and the proof that no two did at once.

A lease begins when bind() has succeeded and ends when the socket is closed; the kernel is the
allocator of last resort, and this table is the history that can be checked afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to listen on one address and port for a time.

    Attributes:
        backend: id of the holder.
        from_ns: when bind() had succeeded.
        to_ns: when it was given back; None while it is held.
        lost_races: candidates that somebody else held when this holder tried them.
    """

    backend: int
    address: str
    port: int
    allocator: str
    from_ns: int
    to_ns: int | None = None
    lost_races: int = 0

    def __post_init__(self) -> None:
        if self.to_ns is not None and self.to_ns < self.from_ns:
            raise ValueError(f"lease of port {self.port} ends before it begins")


def overlaps(history: Iterable[Lease]) -> list[tuple[Lease, Lease]]:
    """Pairs of leases of one address and port that were held at the same time.

    An empty list is the proof that no port was held twice. Each lease that began while its place
    was held is paired once, with the holder that kept the place longest. A lease that ends in
    the very moment the next begins does not overlap it. O(n log n).
    """
    found: list[tuple[Lease, Lease]] = []
    longest: dict[tuple[str, int], Lease] = {}  # of those seen at a place, the one that ends last
    # A lease that was given back in the moment it began goes before those that begin with it.
    for lease in sorted(history, key=lambda one: (one.from_ns, _end(one), one.backend)):
        place = (lease.address, lease.port)
        held = longest.get(place)
        if held is not None and _end(held) > lease.from_ns:
            found.append((held, lease))
        if held is None or _end(lease) >= _end(held):
            longest[place] = lease
    return found


def _end(lease: Lease) -> float:
    return inf if lease.to_ns is None else lease.to_ns


def kernel_candidates() -> Iterator[int]:
    """Port 0: the kernel picks in bind()."""
    yield 0


def lost_races(history: Sequence[Lease]) -> int:
    """How often a candidate was already held by somebody else."""
    return sum(lease.lost_races for lease in history)
