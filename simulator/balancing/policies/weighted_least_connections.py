"""Weighted least connections: the fewest open connections for each unit of weight.

What is compared is (open + 1) / weight, the load as it would be with the new connection: comparing
open / weight would give an idle backend of weight 1 the same rank as an idle one of weight 10.

Source: W. Zhang, "Linux Virtual Server for Scalable Network Services", Ottawa Linux Symposium 2000
(weighted least-connection scheduling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.policies.policy import NOBODY, draw_index
from simulator.balancing.weighted_load import WeightedLoad

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.seeds import Random


class WeightedLeastConnections:
    """The least loaded for its weight; a fair draw among equals.

    Args:
        generator: where the draws among equals come from.
    """

    def __init__(self, generator: Random) -> None:
        self._generator = generator

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """One of the least loaded that are not excluded. O(different weights).

        Raises:
            TypeError: the load does not rank by weight.
        """
        if not isinstance(load, WeightedLoad):
            raise TypeError("weighted-least-connections needs a WeightedLoad")
        equals = load.least(exclude)
        return equals[draw_index(self._generator, len(equals))] if equals else NOBODY
