"""Round robin: every backend in turn, whatever its load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.policies.policy import NOBODY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load


class RoundRobin:
    """Shares differ by at most one connection while membership stays the same. O(1) for a pick.

    Args:
        start: where the first turn begins. Several workers should begin at different places, or
            the first backends get a connection from each of them at the same moment.
    """

    def __init__(self, start: int = 0) -> None:
        self._next = start

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """The next one in turn that is not excluded."""
        count = len(eligible)
        for _ in range(count):
            turn = self._next
            # The list may have become shorter since the last turn.
            if turn >= count:
                turn %= count
            self._next = turn + 1
            if eligible[turn] not in exclude:
                return eligible[turn]
        return NOBODY
