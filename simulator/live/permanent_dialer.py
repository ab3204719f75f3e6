"""Connects with one port for each for ever: what the world would be if nobody gave one back."""

from __future__ import annotations

import contextlib
import socket
from _socket import socket as bare_socket
from collections import deque
from typing import TYPE_CHECKING

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import (
    LINGER_ZERO,
    STREAM,
)
from simulator.live.dialer import AF_INET, FAILED, Dialer, DialerStatistics
from simulator.ports.selection.free_list import (
    usable_ports,
)
from simulator.records import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.ports.range import PortRange


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
            sock = bare_socket(AF_INET, STREAM, 0)
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
