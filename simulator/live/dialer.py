"""How a connect takes its source port: the one switch that users come to compare.

A dialer opens connections toward destinations it was told of and closes them again, so that it
knows which ports are free. It works on bare descriptors and never waits. The relay and the load
generator use the same dialers, so a mode means the same on both hops.

Who picks the port, and what the kernel says when there is none left (Linux 6.18, TCP):

=============  ==========================================================  ======================
mode           what is done                                                out of ports
=============  ==========================================================  ======================
kernel         connect()                                                   EADDRNOTAVAIL, connect
late-bind      IP_BIND_ADDRESS_NO_PORT, bind(address, 0), connect()        EADDRNOTAVAIL, connect
early-bind     bind(address, 0), connect(): the port is taken before the   EADDRINUSE, bind
               destination is known, so for all destinations
socket-range   IP_LOCAL_PORT_RANGE, then as `kernel`; since Linux 6.8 the  EADDRNOTAVAIL, connect
               kernel then walks every port, not one parity first
userspace      a free port of our own list toward this destination,        NO_PORT, the kernel is
               SO_REUSEADDR, bind(address, port), connect()                not asked
permanent      the next port never used before, bind(address, port),       EADDRINUSE, bind
               connect(); the descriptor is kept when the connection ends
=============  ==========================================================  ======================

`kernel` with source addresses given is the same thing as `late-bind`: there is no way to name an
address without bind(), and a plain bind() would turn it into `early-bind`. Without addresses
(``addresses=()``) `kernel` is a truly plain connect() whose address the routing table picks.

Several source addresses are used in turn, and the turn is kept for each destination: one turn for
all would tie addresses to destinations as soon as both go round in step, and most pairs, which is
to say most of the budget, would never be used.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from _socket import socket as bare_socket
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import (
    IP_BIND_ADDRESS_NO_PORT,
    IP_LOCAL_PORT_RANGE,
    LINGER_ZERO,
    STREAM,
    port_range_option,
)
from simulator.live.recipe import Recipe
from simulator.ports.selection.free_list import (
    FreePorts,
    RandomFreePorts,
    SequentialFreePorts,
    shuffled,
    usable_ports,
)
from simulator.records import Call, Ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.ports.range import PortRange
    from simulator.seeds import Random

Mode = Literal["kernel", "early-bind", "late-bind", "socket-range", "userspace", "permanent"]

FAILED: Final = -1
#: Further ports tried by `userspace` when somebody else holds the one on our list.
LOST_RACES_MAX: Final = 3
# Attributes of an enumeration are slow to look up, and these are needed for each connection.
_CONNECT: Final = int(Call.CONNECT)
_IN_PROGRESS: Final = errno.EINPROGRESS
LOST_RACE: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})
_AF_INET: Final = int(socket.AF_INET)
_NO_ADDRESS: Final = ("0.0.0.0", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialerStatistics:
    """What a dialer did so far.

    Attributes:
        dialed: connects begun (with or without a result yet).
        failed: calls that failed at once; a full list and lost races included.
        lost_races: ports of our own list that somebody else held; the next one was tried.
        open: connections open now.
        kept: ports of ended connections that are held on to (`permanent`).
    """

    dialed: int
    failed: int
    lost_races: int
    open: int
    kept: int


class Dialer:
    """Opens and closes connections; what happened last stands in its attributes.

    Attributes:
        last_call: the call that failed last, or Call.CONNECT.
        last_error: 0, or the errno or Ending of the last dial.
        last_port: local port of the last dial, 0 = unknown (the kernel picked it).
        last_source: index of its source address.
        last_call_ns: time inside bind() and connect().
        last_end_ns: monotonic time when connect() returned.
        sockets: the socket object behind each open descriptor.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = tuple(addresses)
        self.last_call = int(Call.NONE)
        self.last_error = 0
        self.last_port = 0
        self.last_source = 0
        self.last_call_ns = 0
        self.last_end_ns = 0
        self.sockets: dict[int, bare_socket] = {}
        self._endpoints: list[tuple[str, int]] = []
        self._known: dict[tuple[str, int], int] = {}
        self._turn: list[int] = []
        self._dialed = 0
        self._failures = 0
        self._lost_races = 0

    def destination(self, address: str, port: int) -> int:
        """The index to dial this endpoint by; the same endpoint always gets the same index."""
        key = (address, port)
        index = self._known.get(key)
        if index is None:
            index = self._known[key] = len(self._endpoints)
            self._endpoints.append(key)
            # Destinations begin at different addresses, so that few connections spread too.
            self._turn.append(index % max(1, len(self.addresses)))
            self._on_new_destination()
        return index

    def dial(self, destination: int) -> int:
        """Begin a connect.

        Returns:
            The descriptor, non-blocking, connected or on the way; or FAILED, and then
            ``last_call`` and ``last_error`` say why.
        """
        raise NotImplementedError

    def recipe(self) -> Recipe | None:
        """How somebody else would dial in our place; None if only we can."""
        return None

    def count(self, dialed: int) -> None:
        """Connects that the caller began by itself."""
        self._dialed += dialed

    def note(self, source: int, port: int, call_ns: int, ended_ns: int) -> None:
        """A connect that the caller began by itself, as if it were our last one."""
        self.last_call, self.last_error = _CONNECT, 0
        self.last_source, self.last_port = source, port
        self.last_call_ns, self.last_end_ns = call_ns, ended_ns

    def note_failure(self, call: Call, code: int) -> None:
        """What was noted last has failed at once, in this call with this errno."""
        ended_ns = self.last_end_ns
        self._failed(call, code)
        self.last_end_ns = ended_ns

    def shutdown(self, fd: int) -> None:
        """Send FIN; reading goes on.

        Raises:
            OSError: the connection is gone (ENOTCONN).
        """
        self.sockets[fd].shutdown(socket.SHUT_WR)

    def no_delay(self, fd: int) -> None:
        """Send small pieces at once from now on (TCP_NODELAY)."""
        self.sockets[fd].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def take_error(self, fd: int) -> int:
        """The errno of a connect that failed later, 0 if none; reading it clears it."""
        return self.sockets[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def local_port(self, fd: int) -> int:
        """Ask the kernel which port it picked; one system call."""
        port = self.sockets[fd].getsockname()[1]
        assert isinstance(port, int)
        return port

    def close(self, fd: int) -> None:
        """End a connection in the orderly way; its port is free for the next one."""
        self.sockets.pop(fd).close()

    def reset(self, fd: int) -> None:
        """End a connection by RST: neither side keeps the tuple."""
        self.sockets[fd].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.close(fd)

    def close_all(self) -> None:
        """Reset every open connection and let go of everything held."""
        for fd in list(self.sockets):
            self.reset(fd)

    def statistics(self) -> DialerStatistics:
        """Counts so far."""
        return DialerStatistics(
            dialed=self._dialed,
            failed=self._failures,
            lost_races=self._lost_races,
            open=len(self.sockets),
            kept=0,
        )

    def _on_new_destination(self) -> None:
        """Make room for a destination's own state."""

    def next_source(self, destination: int) -> int:
        """The source address whose turn it is toward this destination."""
        source = self._turn[destination]
        following = source + 1
        self._turn[destination] = following if following < len(self.addresses) else 0
        return source

    def _failed(self, call: Call, code: int) -> int:
        self._failures += 1
        self.last_call = int(call)
        self.last_error = code
        self.last_end_ns = monotonic_ns()
        return FAILED

    def _new_socket(self) -> bare_socket | None:
        try:
            return bare_socket(_AF_INET, STREAM, 0)
        except OSError as error:
            self.last_port = self.last_call_ns = 0
            self._failed(Call.SOCKET, error.errno or 0)
            return None

    def _connect(self, sock: bare_socket, destination: int, started_ns: int) -> int:
        """connect(); on failure the socket is closed and the errno noted."""
        code = sock.connect_ex(self._endpoints[destination])
        self.last_end_ns = ended_ns = monotonic_ns()
        self.last_call_ns = ended_ns - started_ns
        if code and code != _IN_PROGRESS:
            sock.close()
            return self._failed(Call.CONNECT, code)
        self._dialed += 1
        self.last_call = _CONNECT
        self.last_error = 0
        fd = sock.fileno()
        self.sockets[fd] = sock
        return fd


class KernelDialer(Dialer):
    """The kernel picks the port: `kernel`, `early-bind`, `late-bind` and `socket-range`.

    Args:
        mode: one of these four.
        addresses: source addresses, used in turn; none means that routing picks.
        ports: the range for `socket-range`; the namespace's own range bounds it.
    """

    def __init__(
        self, mode: Mode, addresses: Sequence[str], ports: PortRange | None = None
    ) -> None:
        super().__init__(addresses)
        self._binds: tuple[tuple[str, int] | None, ...]
        self._binds = tuple((address, 0) for address in addresses) or (
            None if mode in ("kernel", "socket-range") else _NO_ADDRESS,
        )
        options: list[tuple[int, int | bytes]] = []
        if mode == "socket-range":
            if ports is None:
                raise ValueError("socket-range needs a port range")
            options.append((IP_LOCAL_PORT_RANGE, port_range_option(ports.first, ports.last)))
        if mode != "early-bind" and self._binds[0] is not None:
            options.append((IP_BIND_ADDRESS_NO_PORT, 1))
        self._options = tuple(options)
        self._has_turns = len(self._binds) > 1
        self._is_plain = not options and self._binds[0] is None

    def dial(self, destination: int) -> int:
        """Begin a connect from a port of the kernel's choice."""
        if self._is_plain:
            return self._dial_plainly(destination)
        source = self.next_source(destination) if self._has_turns else 0
        self.last_source = source
        sock = self._new_socket()
        if sock is None:
            return FAILED
        started_ns = monotonic_ns()
        bound = self._binds[source]
        try:
            for option, value in self._options:
                sock.setsockopt(socket.IPPROTO_IP, option, value)
            if bound is not None:
                sock.bind(bound)
        except OSError as error:
            sock.close()
            self.last_call_ns = monotonic_ns() - started_ns
            return self._failed(Call.BIND, error.errno or 0)
        return self._connect(sock, destination, started_ns)

    def _dial_plainly(self, destination: int) -> int:
        """Socket and connect, written out: the mode with the least to do is the one in a hurry."""
        try:
            sock = bare_socket(_AF_INET, STREAM, 0)
        except OSError as error:
            self.last_port = self.last_call_ns = 0
            return self._failed(Call.SOCKET, error.errno or 0)
        started_ns = monotonic_ns()
        code = sock.connect_ex(self._endpoints[destination])
        self.last_end_ns = ended_ns = monotonic_ns()
        self.last_call_ns = ended_ns - started_ns
        if code and code != _IN_PROGRESS:
            sock.close()
            return self._failed(Call.CONNECT, code)
        self._dialed += 1
        self.last_call = _CONNECT
        self.last_error = 0
        fd = sock.fileno()
        self.sockets[fd] = sock
        return fd

    def recipe(self) -> Recipe:
        """How somebody else would dial in our place."""
        ports = dict(self._options).get(IP_LOCAL_PORT_RANGE, b"")
        assert isinstance(ports, bytes)
        return Recipe(
            binds=tuple(bound[0] for bound in self._binds if bound is not None),
            is_late=any(option == IP_BIND_ADDRESS_NO_PORT for option, _ in self._options),
            range_option=int.from_bytes(ports, sys.byteorder),
        )

    def plain_endpoint(self, destination: int) -> tuple[str, int] | None:
        """Where to connect() to, for a caller who dials by itself; None where that is not all.

        Who does so opens a non-blocking socket and calls connect() and nothing else; `adopt` makes
        a connection one of ours, `count` says what was dialed without becoming so.
        """
        return self._endpoints[destination] if self._is_plain else None

    def adopt(self, sock: bare_socket) -> None:
        """Take over a connection that the caller dialed and counted."""
        self.sockets[sock.fileno()] = sock

    def plainly_failed(self, code: int, call_ns: int) -> None:
        """A connect of the caller's own failed at once with this errno."""
        self.last_port = 0
        self.last_call_ns = call_ns
        self._failed(Call.CONNECT, code)


class UserspaceDialer(Dialer):
    """We pick: a free list for each pair of source address and destination.

    SO_REUSEADDR lets several destinations share a port and lets the kernel take back a tuple of
    ours from TIME_WAIT at once (it needs TCP timestamps for that), so a port is free again as soon
    as its connection is closed here. Should the tuple still live after all, in FIN_WAIT2 because
    the other side has not closed, the next port is tried and the race counted.

    Args:
        addresses: source addresses, at least one.
        ports: the ports that are ours alone; workers take disjoint slices.
        pick: ``random`` or ``sequential``.
        generator: where random picks come from.
        reserved: ports never to be used.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        ports: PortRange,
        pick: str,
        generator: Random,
        reserved: Sequence[PortRange] = (),
    ) -> None:
        if not addresses:
            raise ValueError("userspace needs a source address to bind")
        self._is_random = pick == "random"
        self._generator = generator
        ascending = usable_ports(ports, reserved)
        self._order = shuffled(ascending, generator) if self._is_random else ascending
        self._free: list[list[FreePorts | None]] = []
        self._held: dict[int, tuple[FreePorts, int]] = {}
        super().__init__(addresses)

    def _on_new_destination(self) -> None:
        self._free.append([None] * len(self.addresses))

    def list_with_ports(self, destination: int) -> FreePorts | None:
        """The next source address's list that has a free port; sets ``last_source``.

        A caller who dials by itself takes a port from it, and gives it back or tells `hold`.
        """
        lists = self._free[destination]
        for _ in self.addresses:
            source = self.next_source(destination)
            ports = lists[source]
            if ports is None:
                ports = lists[source] = self._new_list()
            if len(ports):
                self.last_source = source
                return ports
        return None

    def _new_list(self) -> FreePorts:
        if self._is_random:
            return RandomFreePorts(self._order, self._generator)
        return SequentialFreePorts(self._order)

    def dial(self, destination: int) -> int:
        """Begin a connect from a free port of our own list."""
        ports = self.list_with_ports(destination)
        if ports is None:
            self.last_port = self.last_call_ns = 0
            return self._failed(Call.BIND, Ending.NO_PORT)
        fd = self._dial_from(destination, ports)
        races = 0
        while fd < 0 and self.last_error in LOST_RACE:
            self._lost_races += 1
            races += 1
            if races > LOST_RACES_MAX or not len(ports):
                break
            fd = self._dial_from(destination, ports)
        return fd

    def _dial_from(self, destination: int, ports: FreePorts) -> int:
        sock = self._new_socket()
        if sock is None:
            return FAILED
        self.last_port = port = ports.take()
        started_ns = monotonic_ns()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.addresses[self.last_source], port))
        except OSError as error:
            sock.close()
            ports.give_back(port)
            self.last_call_ns = monotonic_ns() - started_ns
            return self._failed(Call.BIND, error.errno or 0)
        fd = self._connect(sock, destination, started_ns)
        if fd < 0:
            ports.give_back(port)
        else:
            self._held[fd] = (ports, port)
        return fd

    def close(self, fd: int) -> None:
        """End a connection; its port goes back on the list."""
        self.sockets.pop(fd).close()
        ports, port = self._held.pop(fd)
        ports.give_back(port)

    def recipe(self) -> Recipe:
        """How somebody else would dial in our place."""
        return Recipe(binds=self.addresses, has_ports=True)

    def hold(self, fd: int, ports: FreePorts, port: int) -> None:
        """A connection that the caller dialed has this port of this list."""
        self._held[fd] = (ports, port)

    def lost_race(self) -> None:
        """A port that the caller took from a list was somebody else's."""
        self._lost_races += 1

    def release(self, fd: int) -> None:
        """The caller has closed what it had told `hold`: its port goes back on the list."""
        ports, port = self._held.pop(fd)
        ports.give_back(port)

    def free_ports(self, destination: int) -> int:
        """Ports free toward a destination, over all source addresses."""
        lists = self._free[destination]
        return sum(len(self._order) if one is None else len(one) for one in lists)


class PermanentDialer(Dialer):
    """A port of its own for each connection, never given back, as if ports were registered names.

    The descriptor is kept when its connection ends, without SO_REUSEADDR, so that the kernel
    itself goes on refusing the port. When the list is through, the oldest port is tried again and
    the kernel's own answer reported.

    Args:
        addresses: source addresses, at least one.
        ports: the ports that are ours alone; workers take disjoint slices.
        reserved: ports never to be used.
    """

    def __init__(
        self, addresses: Sequence[str], ports: PortRange, reserved: Sequence[PortRange] = ()
    ) -> None:
        if not addresses:
            raise ValueError("permanent needs a source address to bind")
        super().__init__(addresses)
        self._ports = usable_ports(ports, reserved)
        self._next = 0  # over all pairs of port and address, address fastest
        self._kept: deque[bare_socket] = deque()
        self._bound: dict[int, tuple[str, int]] = {}

    def dial(self, destination: int) -> int:
        """Begin a connect from the next port never used before."""
        sock = self._new_socket()
        if sock is None:
            return FAILED
        position, self.last_source = divmod(self._next, len(self.addresses))
        self.last_port = port = self._ports[position]
        endpoint = (self.addresses[self.last_source], port)
        self._next = (self._next + 1) % (len(self._ports) * len(self.addresses))
        started_ns = monotonic_ns()
        try:
            sock.bind(endpoint)
        except OSError as error:
            sock.close()
            self.last_call_ns = monotonic_ns() - started_ns
            return self._failed(Call.BIND, error.errno or 0)
        fd = self._connect(sock, destination, started_ns)
        if fd >= 0:
            self._bound[fd] = endpoint
        else:
            self._hold(endpoint)
        return fd

    def close(self, fd: int) -> None:
        """End a connection by FIN and keep its port."""
        del self._bound[fd]
        sock = self.sockets.pop(fd)
        # Not connected (any more)? Its port is held all the same.
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        self._kept.append(sock)

    def reset(self, fd: int) -> None:
        """End a connection by RST, which closes its descriptor, and take the port again at once."""
        endpoint = self._bound.pop(fd)
        super_sock = self.sockets.pop(fd)
        super_sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        super_sock.close()
        self._hold(endpoint)

    def _hold(self, endpoint: tuple[str, int]) -> None:
        """Bind a port only to hold it; one that somebody else took meanwhile is out of reach."""
        try:
            sock = bare_socket(_AF_INET, STREAM, 0)
        except OSError:
            return
        try:
            sock.bind(endpoint)
        except OSError:
            sock.close()
            return
        self._kept.append(sock)

    def close_all(self) -> None:
        """Reset every open connection and let go of every port."""
        super().close_all()
        while self._kept:
            self._kept.pop().close()

    def statistics(self) -> DialerStatistics:
        """Counts so far."""
        return DialerStatistics(
            dialed=self._dialed,
            failed=self._failures,
            lost_races=0,
            open=len(self.sockets),
            kept=len(self._kept),
        )


def new_dialer(
    mode: Mode,
    addresses: Sequence[str],
    ports: PortRange,
    *,
    pick: str = "random",
    generator: Random,
    reserved: Sequence[PortRange] = (),
) -> Dialer:
    """The dialer of a scenario's `source.ports`.

    Args:
        mode: scenario `source.ports`.
        addresses: source addresses; may be empty for the modes in which the kernel picks.
        ports: this worker's own slice for `userspace` and `permanent`, the range for
            `socket-range`; not used otherwise.
        pick: scenario `source.pick`.
        generator: where random picks come from.
        reserved: ports that we never pick ourselves.
    """
    if mode == "userspace":
        return UserspaceDialer(addresses, ports, pick, generator, reserved)
    if mode == "permanent":
        return PermanentDialer(addresses, ports, reserved)
    return KernelDialer(mode, addresses, ports)
