"""Taking listening ports for the backends of one process: bind a candidate, keep it, lease it."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from simulator.clock import monotonic_ns
from simulator.kernel.datagrams import open_datagram
from simulator.ports.allocators import make_allocator
from simulator.ports.lease import Lease
from simulator.ports.range import PortRange

if TYPE_CHECKING:
    from collections.abc import Collection

    from simulator.live.settings import BackendRole


class NoPortLeft(Exception):
    """Every candidate is held by somebody or rests."""


class PortTaker:
    """Gives each backend a socket that is bound and leased."""

    def __init__(self, settings: BackendRole) -> None:
        ports = PortRange(settings.first, settings.last) if settings.first else None
        backends = settings.total or max(settings.ids, default=0) + 1
        self._name = settings.allocator
        self._is_udp = settings.speaks == "dns"
        self._allocator = make_allocator(settings.allocator, ports, settings.seed, backends)
        self._generation: dict[int, int] = {}

    def take(
        self, backend: int, address: str, resting: Collection[int] = ()
    ) -> tuple[socket.socket, Lease]:
        """Bind the first candidate that can be had; the socket does not listen yet.

        Args:
            backend: for whom.
            address: where.
            resting: ports in quarantine, which are passed over.

        Raises:
            NoPortLeft: there is none, for now.
        """
        generation = self._generation.get(backend, 0)
        lost = 0
        kept: list[socket.socket] = []  # what the kernel gave and must rest: held, or it comes back
        try:
            for port in self._allocator.candidates(backend, generation):
                if port in resting:
                    continue
                listener = self._bind(address, port)
                if listener is None:
                    lost += 1
                    continue
                bound = int(listener.getsockname()[1])
                if bound in resting:
                    kept.append(listener)
                    continue
                self._generation[backend] = generation + 1
                self._allocator.taken(backend, bound)
                return listener, Lease(
                    backend=backend,
                    address=address,
                    port=bound,
                    allocator=self._name,
                    from_ns=monotonic_ns(),
                    lost_races=lost,
                )
        finally:
            for one in kept:
                one.close()
        raise NoPortLeft(f"backend {backend} found no free port on {address}, {lost} were held")

    def _bind(self, address: str, port: int) -> socket.socket | None:
        """A socket bound there, of the kind that its backends serve; None: somebody has it."""
        if self._is_udp:
            return open_datagram(address, port)
        return _bound(address, port, reuse=self._name == "fixed")


def _bound(address: str, port: int, *, reuse: bool) -> socket.socket | None:
    """A socket bound there; None when somebody holds the port.

    Args:
        address: where.
        port: which, 0 = the kernel picks.
        reuse: whether connections of an earlier listener on it do not count, as every service
            wants it that returns to its port. Only where no other backend would bind that port.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    if reuse:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return listener
