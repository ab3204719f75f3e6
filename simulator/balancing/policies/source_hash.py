"""Source hash: a client's key, modulo the number of backends.

The same client gets the same backend as long as none comes or goes. When n backends become n - 1,
all but about 1/n of the keys move: the price that ring hash and Maglev were made to avoid.

Source: D. Thaler, C. Hopps, RFC 2991, section 2 (modulo-N hash); HAProxy `balance source`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.hashing import scatter
from simulator.balancing.policies.policy import NOBODY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load


class SourceHash:
    """One of the backends in the order of their ids, by the key alone.

    Args:
        salt: another assignment for each salt; all workers of a balancer share it.
    """

    def __init__(self, salt: int = 0) -> None:
        self._salt = salt
        self._members: Sequence[int] = ()
        self._ordered: list[int] = []

    def pick(
        self, eligible: Sequence[int], load: Load, exclude: Collection[int], key: int = 0
    ) -> int:
        """The key's backend; the next ones in order when it is excluded."""
        # A list compares at memory speed: this keeps the policy free of events to be told.
        if eligible != self._members:
            self._members = list(eligible)
            self._ordered = sorted(eligible)
        ordered = self._ordered
        size = len(ordered)
        if not size:
            return NOBODY
        place = scatter(key, self._salt) % size
        for step in range(size):
            one = ordered[(place + step) % size]
            if one not in exclude:
                return one
        return NOBODY
