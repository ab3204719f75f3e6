"""The best of d at random; with d = 2 the power of two choices.

Two draws instead of one shrink the fullest of n backends from about ln n / ln ln n connections to
ln ln n / ln 2; each further draw only changes that by a constant factor. It needs no ranking and
stays good when the load it sees is old.

Source: Azar, Broder, Karlin, Upfal, "Balanced Allocations", SIAM J. Comput. 29(1), 1999;
Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001.

The draws are without replacement, and the second one is unbiased because of how it is mapped: i is
uniform over n places; j is uniform over n - 1 *numbers* 0..n-2, and those from i upwards are moved
up by one, so that they name the n - 1 *places* other than i in order, each exactly once. Every
ordered pair of different places has probability 1/n * 1/(n-1). Drawing j over all n and stepping to
the next place on a clash would give the neighbour of i twice its share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.policies.policy import NOBODY, draw_index

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.seeds import Random


class Choices:
    """The least loaded of d different backends drawn at random. O(d) for a pick.

    Args:
        count: d, how many are drawn, >= 1.
        generator: where the draws come from.
    """

    def __init__(self, count: int, generator: Random) -> None:
        if count < 1:
            raise ValueError(f"needs at least one choice, not {count}")
        self._count = count
        self._generator = generator

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """The best of d; among equals the one drawn first, which is as random as the draw."""
        if exclude:
            eligible = [one for one in eligible if one not in exclude]
        size = len(eligible)
        if self._count != 2 or size < 2:
            return self._best_of_many(eligible, load)
        generator = self._generator
        first = draw_index(generator, size)
        second = draw_index(generator, size - 1)
        if second >= first:
            second += 1
        one, other = eligible[first], eligible[second]
        return one if load.open[one] <= load.open[other] else other

    def _best_of_many(self, eligible: Sequence[int], load: Load) -> int:
        drawn = self._draw_places(len(eligible))
        if not drawn:
            return NOBODY
        return min((eligible[place] for place in drawn), key=load.open.__getitem__)

    def _draw_places(self, size: int) -> list[int]:
        """Draw d different places (all, when there are no more), in random order.

        `sample` draws without replacement by the same rule as above, carried on: the k-th draw is
        uniform over the places not drawn yet.
        """
        return self._generator.sample(range(size), min(self._count, size))
