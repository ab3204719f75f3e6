"""Quarantine: a port that was given back rests for a time before anybody gets it again.

Whoever still believes in the old endpoint is refused meanwhile. Without it, the port may already
belong to another backend, which answers in the place of the first: a misdelivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.ports.lease import Lease


class Quarantine:
    """Which ports rest, by address.

    Args:
        rest_ns: how long a port rests; 0 is no quarantine.
    """

    def __init__(self, rest_ns: int) -> None:
        self._rest_ns = rest_ns
        self._until: dict[tuple[str, int], int | None] = {}

    def leaving(self, address: str, port: int) -> None:
        """A port is about to be given back; it rests from now on, to an end not yet known."""
        if self._rest_ns:
            self._until[address, port] = None

    def given_back(self, address: str, port: int, at_ns: int) -> None:
        """A port was given back at that moment, ns on any one clock."""
        if self._rest_ns:
            self._until[address, port] = at_ns + self._rest_ns

    def resting(self, address: str, now_ns: int) -> list[int]:
        """Ports of an address that may not be taken now, ascending."""
        over = [
            place for place, until in self._until.items() if until is not None and until <= now_ns
        ]
        for place in over:
            del self._until[place]
        return sorted(port for where, port in self._until if where == address)


def reused_early(history: Iterable[Lease], rest_ns: int) -> list[tuple[Lease, Lease]]:
    """Pairs of leases of one place where the second began before the first had rested.

    An empty list is the proof that a quarantine of ``rest_ns`` was kept. O(n log n).
    """
    found: list[tuple[Lease, Lease]] = []
    last: dict[tuple[str, int], Lease] = {}
    for lease in sorted(history, key=lambda one: one.from_ns):
        place = (lease.address, lease.port)
        before = last.get(place)
        if before is not None and (before.to_ns is None or lease.from_ns < before.to_ns + rest_ns):
            found.append((before, lease))
        last[place] = lease
    return found
