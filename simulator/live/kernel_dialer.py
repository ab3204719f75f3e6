"""Connects whose port the kernel picks: plain, bound late or early, or from a range of its own."""

from __future__ import annotations

import socket
import sys
from _socket import socket as bare_socket
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import (
    IP_BIND_ADDRESS_NO_PORT,
    IP_LOCAL_PORT_RANGE,
    STREAM,
    port_range_option,
)
from simulator.live.dialer import AF_INET, CONNECT, FAILED, IN_PROGRESS, Dialer
from simulator.live.recipe import Recipe
from simulator.records import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.live.port_modes import Mode
    from simulator.ports.range import PortRange

_NO_ADDRESS: Final = ("0.0.0.0", 0)


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
            sock = bare_socket(AF_INET, STREAM, 0)
        except OSError as error:
            self.last_port = self.last_call_ns = 0
            return self._failed(Call.SOCKET, error.errno or 0)
        started_ns = monotonic_ns()
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
