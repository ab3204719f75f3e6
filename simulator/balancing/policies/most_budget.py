"""Most budget: the backend with the largest remaining budget of tuples.

Other policies compare connections that are open. A balancer that runs out of ports is stopped by
tuples, and a closed connection goes on holding one in TIME_WAIT: a backend with few long
connections may be all but unreachable, and one with many short ones closed by itself quite free.
This policy compares what really runs out. It is a rule of this project's own; no proxy known to
it has one like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.policies.policy import NOBODY, draw_index
from simulator.balancing.tuple_use import TupleUse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.seeds import Random


class MostBudget:
    """The richest in tuples; a fair draw among equals. O(1) for a pick.

    Args:
        generator: where the draws among equals come from.
    """

    def __init__(self, generator: Random) -> None:
        self._generator = generator

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """One of the richest that are not excluded, even where none has anything left.

        To say that nothing is left is the kernel's: it may find a port where the count finds none.

        Raises:
            TypeError: the load does not count tuples.
        """
        if not isinstance(load, TupleUse):
            raise TypeError("most-budget needs a TupleUse")
        for group in load.richest():
            wanted = [one for one in group if one not in exclude] if exclude else group
            if wanted:
                return wanted[draw_index(self._generator, len(wanted))]
        return NOBODY
