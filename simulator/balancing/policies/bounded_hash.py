"""Consistent hashing with bounded loads: ring hash in which no backend may have too many.

With m connections open on n backends, none takes more than ceil(c * (m + 1) / n); who is full is
passed over on the ring. c near 1 is as even as least connections and moves many keys, a large c is
ring hash. A backend that comes or goes moves O(1/(c - 1)^2) connections for each of its own.

Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from simulator.balancing.policies.policy import NOBODY
from simulator.balancing.policies.ring_hash import RingHash

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.balancing.weights import Weights


class BoundedHash:
    """The key's next backend on the ring that is not full.

    O(n) for a pick, since the connections of all are summed.

    Args:
        weights: by backend id, as for `RingHash`; the bound is the same for all.
        bound: c, above 1.
        salt: another ring for each salt; all workers of a balancer share it.
    """

    def __init__(self, weights: Weights, bound: float, salt: int = 0) -> None:
        if bound <= 1.0:
            raise ValueError(f"a bound must be above 1, not {bound}")
        self._ring_hash = RingHash(weights, salt)
        self._bound = bound

    def capacity(self, eligible: Sequence[int], load: Load) -> int:
        """Most connections that a backend may have once one more is open."""
        total = sum(map(load.open.__getitem__, eligible))
        return ceil(self._bound * (total + 1) / len(eligible))

    def pick(
        self, eligible: Sequence[int], load: Load, exclude: Collection[int], key: int = 0
    ) -> int:
        """The next one with room; where all that are left are full, the next one at all."""
        if not eligible or (exclude and all(one in exclude for one in eligible)):
            return NOBODY
        room = self.capacity(eligible, load)
        for one in self._ring_hash.ring_of(eligible).owners_from(key):
            if one not in exclude and load.open[one] < room:
                return one
        return self._ring_hash.pick(eligible, load, exclude, key)
