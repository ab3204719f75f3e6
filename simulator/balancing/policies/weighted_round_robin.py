"""Smooth weighted round robin: turns in proportion to weights, as evenly spread as they can be.

Each backend's credit grows by its weight with every pick; the one with the most is picked and pays
the sum of all weights. Weights 5, 1, 1 give a a b a c a a, never five in a row, and every run of
*sum of weights* picks holds each backend exactly as often as its weight says.

Source: I. Sysoev, nginx commit 52327e0627f4 of 2012, "Upstream: smooth weighted round-robin
balancing".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.policies.policy import NOBODY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.balancing.weights import Weights


class WeightedRoundRobin:
    """Every backend in turn, as often as its weight says. O(n) for a pick.

    Args:
        weights: by backend id.
        start: so many turns are skipped at first; workers begin at different places.
    """

    def __init__(self, weights: Weights, start: int = 0) -> None:
        self._weights = weights
        self._credit: dict[int, int] = {}
        self._skip = start

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """The one with the most credit that is not excluded; credit of others is kept."""
        while self._skip:
            self._skip -= 1
            self._turn(eligible, ())
        return self._turn(eligible, exclude)

    def _turn(self, eligible: Sequence[int], exclude: Collection[int]) -> int:
        credit, weights = self._credit, self._weights
        best, most, total = NOBODY, 0, 0
        for one in eligible:
            if one in exclude:
                continue
            weight = weights[one]
            total += weight
            has = credit[one] = credit.get(one, 0) + weight
            if best == NOBODY or has > most:
                best, most = one, has
        if best != NOBODY:
            credit[best] -= total
        if len(credit) > 2 * len(eligible):
            # Who left takes no credit along, so that coming back is not a flood.
            self._credit = {one: credit[one] for one in eligible if one in credit}
        return best
