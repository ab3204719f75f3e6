"""How many tuples a hop has: usable ports for each source address and each destination.

A tuple is (source address, source port, destination address, destination port). With ``N`` usable
source ports, one source address has ``N`` tuples toward one destination, and again ``N`` toward
the next one, unless the port was taken by bind() before the destination was known: then the ``N``
serve all destinations of that source address together.

Source: connect(2) and bind(2) as Linux 6.18 does them, seen in a private network namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.ports.range import PortRange


@dataclass(frozen=True, slots=True, kw_only=True)
class HopBudget:
    """The tuples of one hop.

    Attributes:
        name: the hop's label.
        mode: who picks the source port (scenario `Source.ports`).
        sources: source addresses.
        destinations: destination endpoints (address and port).
        range_text: ports they are picked from, ``49152-65535``.
        reserved: ports of the range that are never handed out.
        listening: ports of the range that listeners hold, and the kernel therefore passes over.
        budget: tuples of one group, those that compete for the same ports.
        per: ``tuple`` when a group is one source address toward one destination, ``address`` when
            it is one source address toward all destinations.
        most: tuples of all groups together where something else ends before them, None elsewhere.
    """

    name: str
    mode: str
    sources: int
    destinations: int
    range_text: str
    reserved: int
    listening: int
    budget: int
    per: Literal["tuple", "address"]
    most: int | None = None

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return self.sources * (self.destinations if self.per == "tuple" else 1)

    @property
    def total(self) -> int:
        """Tuples of all groups together."""
        total = self.budget * self.groups
        return total if self.most is None else min(total, self.most)


def ports_within(ports: PortRange, blocks: Iterable[PortRange]) -> int:
    """How many ports of a range lie in any of the blocks; overlaps count once."""
    covered: set[int] = set()
    for block in blocks:
        first, last = max(ports.first, block.first), min(ports.last, block.last)
        covered.update(range(first, last + 1))
    return len(covered)
