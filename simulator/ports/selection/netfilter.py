"""Linux NAT: keep the port if it can be had, else try 248 of them at most.

Source: net/netfilter/nf_nat_core.c (get_unique_tuple, nf_nat_l4proto_unique_tuple). Where the
kernel finds none, the last candidate stands and the packet is dropped when the clash shows; here
that is a failure. The kernel may evict an entry in TIME_WAIT during the last 32 tries of a round
when the new sequence number lies beyond; whether a port can be had is the caller's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.ports.selection.selector import NO_PORT, Asked, Pick, Walking, first_free
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from simulator.ports.range import PortRange

#: Tries of the first round; each further round has half as many, down to 8.
FIRST_ROUND: Final = 128
#: The last round is the first that is shorter than this.
SHORT_ROUND: Final = 16
_SIXTEEN_BITS: Final = 0xFFFF


class NatPorts(Walking):
    """Source NAT into a range of ports.

    Args:
        preserve: keep the port of the connection behind the NAT where it is free and in the range;
            ``--random-fully`` is False.
    """

    def __init__(self, ports: PortRange, seed: int, *, preserve: bool = True) -> None:
        super().__init__(ports)
        self._preserve = preserve
        self._draw = pure_random(seed, "selection", "netfilter").getrandbits

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """The port it had, or the first free one of the rounds."""
        if not (self._preserve and asked.wanted in self.ports):
            return super().pick(asked, in_use)
        if asked.wanted not in in_use:
            return Pick(asked.wanted, 1)
        port, probes = first_free(self.candidates(asked), in_use)
        return Pick(port or NO_PORT, probes + 1)

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Rounds of neighbours, each round from another random place.

        A range of no more than 128 ports is walked whole, once.
        """
        del asked
        first, size = self.ports.first, len(self.ports)
        tries = min(size, FIRST_ROUND)
        while True:
            place = self._draw(16)
            for step in range(tries):
                yield first + ((place + step) & _SIXTEEN_BITS) % size
            if tries >= size or tries < SHORT_ROUND:
                return
            tries //= 2
