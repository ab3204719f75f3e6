"""UDP sockets of stub clients, dialed as connections are: one port for each question.

connect() on a UDP socket sends nothing. It fixes the peer, so that the kernel passes over datagrams
from anybody else, and it brings the errors that come back by ICMP.
"""

from __future__ import annotations

import socket
from _socket import socket as bare_socket
from typing import TYPE_CHECKING, Final

from simulator.live.userspace_dialer import UserspaceDialer
from simulator.records import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.ports.range import PortRange
    from simulator.seeds import Random

_AF_INET: Final = int(socket.AF_INET)
_DATAGRAM: Final = int(socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


class DatagramDialer(UserspaceDialer):
    """Ports of our own list, bound to UDP sockets; a port is free as soon as its socket is closed.

    SO_REUSEADDR lets two UDP sockets that both have it share a port, and ours have it; no two of
    them do, since the list gives a port out once.

    Args:
        addresses: source addresses, at least one.
        ports: the ports that are ours alone; workers take disjoint slices.
        pick: ``random`` or ``sequential``.
        generator: where random picks come from.
    """

    def __init__(
        self, addresses: Sequence[str], ports: PortRange, pick: str, generator: Random
    ) -> None:
        super().__init__(addresses, ports, pick, generator)

    def _new_socket(self) -> bare_socket | None:
        try:
            return bare_socket(_AF_INET, _DATAGRAM, 0)
        except OSError as error:
            self.last_port = self.last_call_ns = 0
            self._failed(Call.SOCKET, error.errno or 0)
            return None

    def reset(self, fd: int) -> None:
        """There is nothing to reset."""
        self.close(fd)
