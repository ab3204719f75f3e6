"""A range of port numbers, and the three regions the registry divides all of them into.

Source: RFC 6335 section 6 (System 0-1023, User 1024-49151, Dynamic 49152-65535).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_RANGE_RE: Final = re.compile(r"\s*(\d{1,6})\s*-\s*(\d{1,6})\s*")


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """An inclusive range of ports, 1 <= first <= last <= 65535.

    Raises:
        ValueError: the bounds are not in order or outside 1..65535.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= 65535 or not 1 <= self.last <= 65535:
            raise ValueError("has a port outside 1-65535; write for example 49152-65535")
        if self.first > self.last:
            raise ValueError(f"is the wrong way round; write {self.last}-{self.first}")

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def slice(self, index: int, count: int) -> PortRange:
        """The index-th of ``count`` disjoint parts that together are the whole range.

        Workers that each own one part never meet on a port.

        Raises:
            ValueError: there are fewer ports than parts.
        """
        size = len(self)
        if size < count:
            raise ValueError(f"holds {size} ports, too few to divide among {count} workers")
        first = self.first + size * index // count
        last = self.first + size * (index + 1) // count - 1
        return PortRange(first, last)


SYSTEM: Final = PortRange(1, 1023)
USER: Final = PortRange(1024, 49151)
DYNAMIC: Final = PortRange(49152, 65535)


def region(port: int) -> str:
    """``system``, ``user`` or ``dynamic``.

    Source: RFC 6335 section 6.
    """
    if port <= SYSTEM.last:
        return "system"
    return "user" if port <= USER.last else "dynamic"


def parse_port_range(text: str) -> PortRange:
    """The range in a text such as ``49152-65535``.

    Raises:
        ValueError: not two ports joined by a minus sign, or out of bounds.
    """
    match = _RANGE_RE.fullmatch(text)
    if match is None:
        raise ValueError("is not a port range; write first-last, such as 49152-65535")
    return PortRange(int(match[1]), int(match[2]))
