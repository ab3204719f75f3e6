"""Linux UDP: a random start, then port after port in jumps that stay within one hash slot.

Source: net/ipv4/udp.c (udp_lib_get_port). A UDP port belongs to one socket of its address, whatever
the destination; bind() to port 0, connect() and the first send all pick here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.ports.selection.selector import Asked, Walking
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.ports.range import PortRange

#: Slots of the table on a machine with 8 GiB: one for each 2 MiB, 256 to 65,536.
SLOTS: Final = 4096
_SIXTEEN_BITS: Final = 0xFFFF


class LinuxUdp(Walking):
    """All ports of the start's slot in steps of an odd multiple of its table, then the next slot.

    Where the range is no larger than the table, a slot holds one port of it at most, and the walk
    is algorithm 1 of RFC 6056: one port after the other from a random one on.

    Args:
        slots: size of the hash table, a power of two.
    """

    def __init__(self, ports: PortRange, seed: int, slots: int = SLOTS) -> None:
        super().__init__(ports)
        self._slots = slots
        self._stream = pure_random(seed, "selection", "linux-udp")

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Every port of the range once; what lies outside of it is passed over."""
        del asked
        low, high = self.ports.first, self.ports.last
        first = low + self._stream.randrange(len(self.ports))
        step = ((self._stream.getrandbits(32) | 1) * self._slots) & _SIXTEEN_BITS
        for slot in range(self._slots):
            begin = port = (first + slot) & _SIXTEEN_BITS
            while True:
                if low <= port <= high:
                    yield port
                port = (port + step) & _SIXTEEN_BITS
                if port == begin:
                    break
