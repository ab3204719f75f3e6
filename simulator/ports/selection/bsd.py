"""The BSD family: the classic walk, and what macOS, FreeBSD and NetBSD made of it.

The stack of 4.4BSD takes a port in bind(), before it knows the destination, so a port is free only
when no socket has it. macOS, NetBSD and OpenBSD still do; FreeBSD asks for the tuple since 13.0.

Sources: apple-oss-distributions/xnu bsd/netinet/in_pcb.c (in_pcbbind); freebsd-src
sys/netinet/in_pcb.c (in_pcb_lport_dest, ipport_tick); NetBSD src sys/netinet/portalgo.c;
RFC 6056 section 2.2 and appendix A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.ports.selection.selector import Asked, Walking
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.ports.range import PortRange

#: FreeBSD: more picks than these in a second switch randomness off ...
RANDOM_PICKS_PER_S: Final = 10
#: ... until it has been calm for so many seconds.
CALM_S: Final = 45
#: NetBSD: counters of its double hash, and the longest of its random steps.
NETBSD_COUNTERS: Final = 8
NETBSD_LARGEST: Final = 500
_SIXTEEN_BITS: Final = 0xFFFF


class NextPort(Walking):
    """The port after the last one, with wrap: 4.4BSD, and macOS as delivered.

    macOS has a switch for a random place before each walk (``randomize_ports``, off for TCP). That
    place is never the last port, and the walk begins one after it: the first port of the range is
    reached only from the end.

    Args:
        randomized: begin each walk at a random place.
    """

    def __init__(self, ports: PortRange, seed: int, *, randomized: bool = False) -> None:
        super().__init__(ports)
        self._draw = pure_random(seed, "selection", "next-port").randrange
        self._randomized = randomized and len(ports) > 1
        self._last = ports.last

    def _is_random(self, asked: Asked) -> bool:
        del asked
        return self._randomized

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Every port once, from the next one on."""
        ports = self.ports
        if self._is_random(asked):
            self._last = ports.first + self._draw(len(ports) - 1)
        for _ in range(len(ports)):
            self._last = self._last + 1 if self._last < ports.last else ports.first
            yield self._last


class FreeBsd(NextPort):
    """A random place, then on from there; walks on from the last port when it is busy.

    In the releases with ``net.inet.ip.portrange.randomcps``, more than 10 picks in a second stop
    the random places until 45 s have passed without such a second: random picks used ports again
    too soon.

    Args:
        throttled: whether busy seconds stop the randomness.
    """

    def __init__(self, ports: PortRange, seed: int, *, throttled: bool = True) -> None:
        super().__init__(ports, seed, randomized=True)
        self._throttled = throttled
        self._second = 0
        self._picks = 0
        self._stopped_s = 0

    def _is_random(self, asked: Asked) -> bool:
        if not self._throttled:
            return self._randomized
        self._tick(int(asked.at_s))
        self._picks += 1
        return self._randomized and not self._stopped_s

    def _tick(self, second: int) -> None:
        """The timer that looks once a second at how many ports were picked."""
        passed = second - self._second
        if passed <= 0:
            return
        if self._picks > RANDOM_PICKS_PER_S:
            self._stopped_s = CALM_S
            passed -= 1
        self._stopped_s = max(0, self._stopped_s - passed)
        self._second, self._picks = second, 0


class NetBsdDefault(Walking):
    """NetBSD's ``bsd``: downward from the end of the range, with wrap."""

    def __init__(self, ports: PortRange, seed: int) -> None:
        del seed  # nothing of it is random
        super().__init__(ports)
        self._next = ports.last

    def candidates(self, asked: Asked) -> Iterator[int]:
        """Every port once, from the next one down."""
        del asked
        for _ in range(len(self.ports)):
            port = self._next if self._next in self.ports else self.ports.last
            self._next = port - 1
            yield port


class NetBsdHash(Walking):
    """NetBSD's ``hash`` and ``doublehash``, which draw a new secret for every pick.

    So neither counter nor table keeps picks of one destination in order: both begin anywhere.
    Their counters have 16 bits, and where one overflows within a walk over a range whose size does
    not divide 65,536, the walk jumps and may miss a port.

    Args:
        counters: 1 for ``hash``, 8 for ``doublehash``.
    """

    def __init__(self, ports: PortRange, seed: int, counters: int = 1) -> None:
        super().__init__(ports)
        self._draw = pure_random(seed, "selection", "netbsd-hash").getrandbits
        self._next = [self._draw(16) for _ in range(counters)]

    def candidates(self, asked: Asked) -> Iterator[int]:
        """As many ports as the range has, from a random place on."""
        del asked
        first, size = self.ports.first, len(self.ports)
        offset = self._draw(16)
        counter = self._draw(16) % len(self._next)
        for _ in range(size):
            port = first + (self._next[counter] + offset) % size
            self._next[counter] = (self._next[counter] + 1) & _SIXTEEN_BITS
            yield port


class NetBsdIncrements(Walking):
    """NetBSD's ``randinc``: steps of 1 to 500 of a counter of 16 bits, taken modulo the range."""

    def __init__(self, ports: PortRange, seed: int) -> None:
        super().__init__(ports)
        self._stream = pure_random(seed, "selection", "netbsd-increments")
        self._next = self._stream.getrandbits(16)

    def candidates(self, asked: Asked) -> Iterator[int]:
        """As many steps as there are ports: some ports are missed."""
        del asked
        size = len(self.ports)
        for _ in range(size):
            step = self._stream.randrange(NETBSD_LARGEST) + 1
            self._next = (self._next + step) & _SIXTEEN_BITS
            yield self.ports.first + self._next % size
