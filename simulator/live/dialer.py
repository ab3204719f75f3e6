"""Opening and closing connections from bare descriptors, with the port of each one accounted for.

A dialer opens connections toward destinations it was told of and closes them again, so that it
knows which ports are free. It never waits. The relay and the load generator use the same dialers,
so a way of taking ports (`port_modes`) means the same on both hops.

Several source addresses are used in turn, and the turn is kept for each destination: one turn for
all would tie addresses to destinations as soon as both go round in step, and most pairs, which is
to say most of the budget, would never be used.
"""

from __future__ import annotations

import errno
import socket
from _socket import socket as bare_socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import (
    LINGER_ZERO,
    STREAM,
)
from simulator.records import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.live.recipe import Recipe


FAILED: Final = -1
# Attributes of an enumeration are slow to look up, and these are needed for each connection.
CONNECT: Final = int(Call.CONNECT)
IN_PROGRESS: Final = errno.EINPROGRESS
AF_INET: Final = int(socket.AF_INET)


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
        self.last_call, self.last_error = CONNECT, 0
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
            return bare_socket(AF_INET, STREAM, 0)
        except OSError as error:
            self.last_port = self.last_call_ns = 0
            self._failed(Call.SOCKET, error.errno or 0)
            return None

    def _connect(self, sock: bare_socket, destination: int, started_ns: int) -> int:
        """connect(); on failure the socket is closed and the errno noted."""
        code = sock.connect_ex(self._endpoints[destination])
        self.last_end_ns = ended_ns = monotonic_ns()
        self.last_call_ns = ended_ns - started_ns
        if code and code != IN_PROGRESS:
            sock.close()
            return self._failed(Call.CONNECT, code)
        self._dialed += 1
        self.last_call = CONNECT
        self.last_error = 0
        fd = sock.fileno()
        self.sockets[fd] = sock
        return fd
