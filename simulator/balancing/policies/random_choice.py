"""Random: every backend equally likely, whatever its load.

With n connections over n backends the fullest one has about ln n / ln ln n of them.

Source: Azar, Broder, Karlin, Upfal, "Balanced Allocations", SIAM J. Comput. 29(1), 1999.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.policies.policy import draw_one

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.seeds import Random


class RandomChoice:
    """One uniform draw. O(1) for a pick.

    Args:
        generator: where the draws come from.
    """

    def __init__(self, generator: Random) -> None:
        self._generator = generator

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """Any one that is not excluded."""
        return draw_one(self._generator, eligible, exclude)
