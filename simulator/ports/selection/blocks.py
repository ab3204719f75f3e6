"""Blocks: each owner is lent runs of neighbouring ports and picks within its own.

What large NATs do, so that one log line or one message to a manager covers many connections:
Ananta lends blocks of 8 and takes idle ones back (SIGCOMM 2013), carrier NATs lend blocks of
hundreds (RFC 7422), cloud NATs lend each machine a fixed block (one block of 64).
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from simulator.ports.range import PortRange
from simulator.ports.selection.selector import NO_PORT, Asked, Pick, first_free

if TYPE_CHECKING:
    from collections.abc import Container

#: Ports of a block of Ananta.
BLOCK: Final = 8


class Blocks:
    """Blocks on demand; of idle blocks an owner keeps one.

    The newest block with room is looked at first; passing a full one costs nothing. The block that
    was free for longest is lent next; ports left over at the end of the range are never lent.

    Args:
        size: ports of a block.
        most: blocks that one owner may have; None is no limit.

    Attributes:
        grants: how often a block was lent, each a message to whoever manages them.
    """

    def __init__(
        self, ports: PortRange, seed: int, size: int = BLOCK, most: int | None = None
    ) -> None:
        del seed  # nothing of it is random
        self.grants = 0
        size = min(size, len(ports))
        starts = range(ports.first, ports.last - size + 2, size)
        self._most = most
        self._first = ports.first
        self._size = size
        self._free = deque(PortRange(start, start + size - 1) for start in starts)
        self._lent: dict[int, list[PortRange]] = {}
        # Connections on each block, by destination: full for one of them, it may serve the next.
        self._used: dict[PortRange, Counter[str | int]] = {}

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """A free port of the owner's blocks; a new block when there is none."""
        lent = self._lent.setdefault(asked.owner, [])
        probes = 0
        for block in reversed(lent):
            if self._used[block][asked.destination] < self._size:
                port, looked_at = self._pick_within(block, asked, in_use)
                probes += looked_at
                if port != NO_PORT:
                    return Pick(port, probes)
        while self._free and (self._most is None or len(lent) < self._most):
            block = self._free.popleft()
            lent.append(block)
            self.grants += 1
            self._used[block] = Counter()
            port, looked_at = self._pick_within(block, asked, in_use)
            probes += looked_at
            if port != NO_PORT:
                return Pick(port, probes)
        return Pick(NO_PORT, probes)

    def _pick_within(self, block: PortRange, asked: Asked, in_use: Container[int]) -> Pick:
        found = first_free(range(block.first, block.last + 1), in_use)
        if found.port != NO_PORT:
            self._used[block][asked.destination] += 1
        return found

    def give_back(self, asked: Asked, port: int) -> None:
        """With its last port a block goes back, unless it is the owner's only one."""
        start = port - (port - self._first) % self._size
        block = PortRange(start, start + self._size - 1)
        used = self._used[block]
        used[asked.destination] -= 1
        if not used[asked.destination]:
            del used[asked.destination]
        lent = self._lent[asked.owner]
        if not used and len(lent) > 1:
            lent.remove(block)
            self._free.append(block)
