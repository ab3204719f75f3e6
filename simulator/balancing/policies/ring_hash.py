"""Ring hash: each backend stands at many points of a circle, a key belongs to the next point.

When one of n backends leaves, only its own keys move, to the others in about equal parts; when one
comes, it takes 1/(n + 1) of the keys and no other key moves. With v points each, shares scatter
around the mean by about 1/sqrt(v): 10 % with the 100 used here for each unit of weight.

Source: Karger, Lehman, Leighton, Panigrahy, Levine, Lewin, "Consistent Hashing and Random Trees",
STOC 1997.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.balancing.hashing import scatter, scatter_all
from simulator.balancing.policies.policy import NOBODY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from simulator.balancing.load import Load
    from simulator.balancing.weights import Weights

#: Points on the ring for each unit of weight.
POINTS: Final = 100


class Ring:
    """The circle: sorted points and whose they are.

    Args:
        members: backend ids.
        weights: by backend id; a backend has POINTS times its weight points.
        salt: another circle for each salt.
    """

    def __init__(self, members: Sequence[int], weights: Weights, salt: int) -> None:
        self._salt = salt
        ordered = np.array(sorted(members), dtype=np.int64)
        counts = np.array([POINTS * weights[one] for one in ordered.tolist()], dtype=np.int64)
        owners = np.repeat(ordered, counts)
        numbers = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        points = scatter_all((owners << 24) + numbers, salt + 1)
        order = np.argsort(points, kind="stable")
        self._points: NDArray[np.uint64] = points[order]
        self._owners: NDArray[Any] = owners[order]

    def owners_from(self, key: int) -> Iterator[int]:
        """Whose points come next after a key, once around; an owner comes up more than once."""
        size = len(self._owners)
        begin = int(np.searchsorted(self._points, np.uint64(scatter(key, self._salt))))
        for step in range(size):
            yield int(self._owners[(begin + step) % size])


class RingHash:
    """The key's next point on the ring. O(log n) for a pick.

    Args:
        weights: by backend id.
        salt: another ring for each salt; all workers of a balancer share it.
    """

    def __init__(self, weights: Weights, salt: int = 0) -> None:
        self._weights = weights
        self._salt = salt
        self._members: Sequence[int] = ()
        self._ring = Ring((), weights, salt)

    def ring_of(self, eligible: Sequence[int]) -> Ring:
        """The ring of these members; made anew only when they changed."""
        if eligible != self._members:
            self._members = list(eligible)
            self._ring = Ring(eligible, self._weights, self._salt)
        return self._ring

    def pick(
        self, eligible: Sequence[int], load: Load, exclude: Collection[int], key: int = 0
    ) -> int:
        """The owner of the next point; the one after it when it is excluded."""
        if exclude and all(one in exclude for one in eligible):
            return NOBODY
        for one in self.ring_of(eligible).owners_from(key):
            if one not in exclude:
                return one
        return NOBODY
