"""Least connections: the backend with the fewest open connections.

The load keeps its backends ranked (`RankedLoad`), so a pick is O(1) for any number of them. Ties
are the usual case, not the exception, and are broken by a uniform draw: the first of the list would
get every connection that arrives while all are idle.

Each worker knows its own connections only; with several workers the least loaded for one need not
be the least loaded of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.load import RankedLoad
from simulator.balancing.policies.policy import NOBODY, draw_index

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.seeds import Random


class LeastConnections:
    """The least loaded; a fair draw among equals.

    Args:
        generator: where the draws among equals come from.
    """

    def __init__(self, generator: Random) -> None:
        self._generator = generator

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """One of the least loaded that are not excluded.

        Raises:
            TypeError: the load is not ranked.
        """
        if not isinstance(load, RankedLoad):
            raise TypeError("least-connections needs a RankedLoad")
        if not exclude:
            equals = load.least()
            return equals[draw_index(self._generator, len(equals))] if equals else NOBODY
        for group in load.from_least():
            wanted = [one for one in group if one not in exclude]
            if wanted:
                return wanted[draw_index(self._generator, len(wanted))]
        return NOBODY
