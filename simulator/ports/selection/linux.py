"""Linux: the port of a plain connect(), of bind() to port 0, and of a socket with its own range.

Sources: net/ipv4/inet_hashtables.c (__inet_hash_connect), net/core/secure_seq.c
(secure_ipv4_port_ephemeral), net/ipv4/inet_connection_sock.c (inet_csk_find_open_port); seen on
Linux 6.18 by tests that hold these walks against real sockets.

Probes are counted as positions of the walk, as the kernel does: each is one look into a hash
bucket, found busy or free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.ports.selection.busy_ports import BusyPorts
from simulator.ports.selection.rfc6056 import KeyedHash
from simulator.ports.selection.selector import NO_PORT, Asked, Pick
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from simulator.ports.range import PortRange

#: Counters of the table; a build option, 65,536 as delivered.
COUNTERS: Final = 1 << 16
#: The secret of the hash changes with every epoch of so many seconds.
EPOCH_S: Final = 10
#: After a pick the counter goes on by a random 0 to 7 steps more.
EXTRA_STEPS: Final = 8
_THIRTY_TWO_BITS: Final = 0xFFFF_FFFF


def usable_size(ports: PortRange, stride: int) -> int:
    """Positions of a walk: with stride 2 an odd size counts as one less, unless it is 1."""
    size = len(ports)
    return size if stride == 1 or size == 1 else size & ~1


def scan(ports: PortRange, start: int, stride: int) -> Iterator[int]:
    """One pass: the ports at ``start``, ``start + stride`` ... with wrap, in the order tried.

    In a range of odd size the wrap is by one less than the size, so the last port stands in for
    the first when the walk does not begin there.

    Args:
        ports: the range.
        start: position from the range's first port, below `usable_size`.
        stride: 2 for one parity only, 1 for every port.
    """
    size = usable_size(ports, stride)
    port, end = ports.first + start, ports.last + 1
    for _ in range(0, size, stride):
        if port >= end:
            port -= size
        yield port
        port += stride


def look(ports: PortRange, start: int, stride: int, in_use: Container[int]) -> tuple[int, int]:
    """The first free port of one pass, `NO_PORT` for none, and how many were looked at."""
    if isinstance(in_use, BusyPorts) and in_use.suits(ports, stride):
        return in_use.walk(start, usable_size(ports, stride))
    probes = 0
    for port in scan(ports, start, stride):
        probes += 1
        if port not in in_use:
            return port, probes
    return NO_PORT, probes


class LinuxConnect:
    """connect() without a port: one parity first, then the other.

    A keyed hash of the destination and the epoch names one of 65,536 counters and an offset. Their
    sum is where the walk begins; after a pick the counter goes on past the port, and by a random
    step. With stride 2, which is what all sockets without a range of their own have, the walk goes
    over the parity of the range's first port, and over the other one when all of that is busy: from
    half of the range on, every pick first looks at the busy half.

    Args:
        ports: the namespace's range, or the socket's own (IP_LOCAL_PORT_RANGE).
        stride: 2 as delivered; 1 for a socket with a range of its own, since Linux 6.8.
    """

    def __init__(self, ports: PortRange, seed: int, stride: int = 2) -> None:
        self.ports = ports
        self._stride = stride
        self._seed = seed
        self._size = usable_size(ports, stride)
        self._stream = pure_random(seed, "selection", "linux-connect")
        # Random from the first use on; filled as it is used, since few of the 65,536 ever are.
        self._table: dict[int, int] = {}
        self._epoch = -EPOCH_S  # its beginning, s
        self._hash = KeyedHash(seed, "epoch")
        # Who asks again in the same words has the same counter.
        self._asked: Asked | None = None
        self._at = (0, 0)

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """A port of the first parity if there is one, else of the other."""
        if asked is not self._asked:
            self._asked, self._at = asked, self._place(asked)
        index, offset = self._at
        counter = self._table.get(index)
        if counter is None:
            counter = self._table[index] = self._stream.getrandbits(32)
        start = ((counter + offset) & _THIRTY_TWO_BITS) % self._size
        stride = self._stride
        first = start if stride == 1 else start & ~1
        port, looked = look(self.ports, first, stride, in_use)
        probes = looked
        # A range of one port has no other parity.
        if not port and stride == 2 and (first := start | 1) < self._size:
            port, looked = look(self.ports, first, stride, in_use)
            probes += looked
        if port:
            extra = int(self._stream.random() * EXTRA_STEPS)
            steps = looked if looked > extra else extra + 1  # past the port, or some more
            self._table[index] = (counter + stride * steps) & _THIRTY_TWO_BITS
        return Pick(port, probes)

    def give_back(self, asked: Asked, port: int) -> None:
        """Nothing to remember."""

    def _place(self, asked: Asked) -> tuple[int, int]:
        """Which counter, and the offset: low 16 and high 32 bits of the destination's hash."""
        if not self._epoch <= asked.at_s < self._epoch + EPOCH_S:
            epoch = int(asked.at_s // EPOCH_S)
            self._epoch = epoch * EPOCH_S
            self._hash = KeyedHash(self._seed, f"epoch {epoch}")
        value = self._hash(asked.destination)
        return value & (COUNTERS - 1), value >> 32


class LinuxBind:
    """bind() to port 0: a random start in the parity that connect() tries last.

    Args:
        ports: the namespace's range, or the socket's own.
        reuse: SO_REUSEADDR is set: the lower half of the range is tried before the upper.
    """

    def __init__(self, ports: PortRange, seed: int, *, reuse: bool = False) -> None:
        self.ports = ports
        self._halves = _halves(ports) if reuse and len(ports) >= 4 else (ports,)
        self._draw = pure_random(seed, "selection", "linux-bind").randrange

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """A port of the odd positions if there is one, else of the even ones."""
        del asked  # there is no destination yet
        probes = 0
        for half in self._halves:
            odd = self._draw(usable_size(half, 2)) | 1
            for first in (odd, odd - 1):
                port, looked = look(half, first, 2, in_use)
                probes += looked
                if port:
                    return Pick(port, probes)
        return Pick(NO_PORT, probes)

    def give_back(self, asked: Asked, port: int) -> None:
        """Nothing to remember."""


def _halves(ports: PortRange) -> tuple[PortRange, PortRange]:
    """Lower and upper half; the cut is at a whole number of pairs."""
    cut = ports.first + (len(ports) >> 2 << 1)
    return type(ports)(ports.first, cut - 1), type(ports)(cut, ports.last)
