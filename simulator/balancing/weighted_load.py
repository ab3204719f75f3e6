"""Load that ranks the backends of each weight apart: the least loaded for its weight, at once.

Among backends of one weight the order by connections is the order by connections for each unit of
weight; so one ranking for each different weight, and a look at the best of each, is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.load import Load, RankedLoad

if TYPE_CHECKING:
    from collections.abc import Collection

    from simulator.balancing.weights import Weights


class WeightedLoad(Load):
    """Open connections of each backend, ranked among those of the same weight.

    A change is O(1); `least` looks at one group for each different weight.

    Args:
        weights: by backend id.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self._weights = weights
        self._classes = {weight: RankedLoad() for weight in sorted(set(weights.cycle))}

    def insert(self, backend_id: int) -> None:
        """A backend may be picked from now on."""
        super().insert(backend_id)
        self._classes[self._weights[backend_id]].insert(backend_id)

    def remove(self, backend_id: int) -> None:
        """A backend is not picked any more."""
        self._classes[self._weights[backend_id]].remove(backend_id)

    def opened(self, backend_id: int) -> None:
        """A connection to this backend was begun."""
        self.open[backend_id] += 1
        self._classes[self._weights[backend_id]].opened(backend_id)

    def closed(self, backend_id: int) -> None:
        """A connection to this backend ended."""
        self.open[backend_id] -= 1
        self._classes[self._weights[backend_id]].closed(backend_id)

    def least(self, exclude: Collection[int] = ()) -> list[int]:
        """Those that would have the fewest connections for their weight with one more.

        Args:
            exclude: ids to leave out.
        """
        best: list[int] = []
        cost, per = 1, 0  # as a fraction: infinite
        for weight, ranked in self._classes.items():
            group = self._lowest(ranked, exclude)
            if not group:
                continue
            after = self.open[group[0]] + 1
            difference = after * per - cost * weight
            if not best or difference < 0:
                best, cost, per = list(group), after, weight
            elif difference == 0:
                best += group
        return best

    @staticmethod
    def _lowest(ranked: RankedLoad, exclude: Collection[int]) -> list[int]:
        if not exclude:
            return ranked.least()
        for group in ranked.from_least():
            wanted = [one for one in group if one not in exclude]
            if wanted:
                return wanted
        return []
