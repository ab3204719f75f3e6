"""Maglev: a table in which every backend fills slots in its own order, all taking turns.

A pick is one look at the table, whatever the number of backends. Slots for two backends differ by
one at most, so shares are nearly equal; when a backend leaves, its slots are spread over the
others, and a few slots of others move as well: the price for the evenness.

Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
section 3.4. The size of the table is prime; one of 100 slots or more for each backend keeps the
shares within 1 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.balancing.hashing import scatter
from simulator.balancing.policies.policy import NOBODY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load

#: Slots wanted for each backend.
SLOTS_EACH: Final = 100
_PRIMES: Final = (1009, 5003, 10_007, 20_011, 65_537, 131_101, 655_373, 1_638_431)


def table_size(backends: int) -> int:
    """A prime size with at least 100 slots for each backend (the largest known, beyond it)."""
    return next((one for one in _PRIMES if one >= SLOTS_EACH * backends), _PRIMES[-1])


def fill_table(members: Sequence[int], size: int, salt: int) -> list[int]:
    """The table: backend id by slot, empty without members.

    Args:
        members: backend ids; their order does not matter.
        size: number of slots, a prime above the number of members.
        salt: another table for each salt.
    """
    if not members:
        return []
    ordered = sorted(members)
    place = [scatter(one, salt + 1) % size for one in ordered]
    skip = [scatter(one, salt + 2) % (size - 1) + 1 for one in ordered]
    table = [NOBODY] * size
    left = size
    while True:
        for turn, one in enumerate(ordered):
            slot, step = place[turn], skip[turn]
            while table[slot] != NOBODY:
                slot = (slot + step) % size
            table[slot] = one
            place[turn] = slot
            left -= 1
            if not left:
                return table


class Maglev:
    """One look at the table. O(1) for a pick; a change of members fills the table anew.

    Args:
        size: slots of the table, a prime; the same for the whole run, or all keys would move.
        salt: another table for each salt; all workers of a balancer share it.
    """

    def __init__(self, size: int, salt: int = 0) -> None:
        self._size = size
        self._salt = salt
        self._members: Sequence[int] = ()
        self._table: list[int] = []

    def pick(
        self, eligible: Sequence[int], load: Load, exclude: Collection[int], key: int = 0
    ) -> int:
        """The backend in the key's slot; those in the slots after it when it is excluded."""
        if eligible != self._members:
            self._members = list(eligible)
            self._table = fill_table(eligible, self._size, self._salt)
        table = self._table
        if not table or (exclude and all(one in exclude for one in eligible)):
            return NOBODY
        slot = scatter(key, self._salt) % self._size
        while table[slot] in exclude:
            slot = (slot + 1) % self._size
        return table[slot]
