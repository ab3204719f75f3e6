"""Blocks: each owner is lent runs of neighbouring ports and picks within its own.

What large NATs do, so that one log line or one message to a manager covers many connections:
Ananta lends blocks of 8 and takes idle ones back (SIGCOMM 2013), carrier NATs lend blocks of
hundreds (RFC 7422), cloud NATs lend each machine a fixed block (one block of 64).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from simulator.ports.range import PortRange
from simulator.ports.selection.selector import NO_PORT, Asked, Pick

if TYPE_CHECKING:
    from collections.abc import Container

#: Ports of a block of Ananta.
BLOCK: Final = 8


class Blocks:
    """Blocks on demand; of idle blocks an owner keeps one.

    The newest block is looked at first. The block that was free for longest is lent next; ports
    left over at the end of the range are never lent.

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
        self._used: dict[PortRange, int] = {}

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """A free port of the owner's blocks; a new block when there is none."""
        lent = self._lent.setdefault(asked.owner, [])
        probes = 0
        for block in reversed(lent):
            for port in range(block.first, block.last + 1):
                probes += 1
                if port not in in_use:
                    self._used[block] += 1
                    return Pick(port, probes)
        while self._free and (self._most is None or len(lent) < self._most):
            block = self._free.popleft()
            lent.append(block)
            self.grants += 1
            self._used[block] = 0
            for port in range(block.first, block.last + 1):
                probes += 1
                if port not in in_use:
                    self._used[block] = 1
                    return Pick(port, probes)
        return Pick(NO_PORT, probes)

    def give_back(self, asked: Asked, port: int) -> None:
        """With its last port a block goes back, unless it is the owner's only one."""
        start = port - (port - self._first) % self._size
        block = PortRange(start, start + self._size - 1)
        self._used[block] -= 1
        lent = self._lent[asked.owner]
        if not self._used[block] and len(lent) > 1:
            lent.remove(block)
            self._free.append(block)
