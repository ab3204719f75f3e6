"""A pool of UDP sockets on ports drawn at random, bound once and kept, as Windows DNS has one.

Each is bound on all addresses, as a DNS service is that serves them all; so nobody else can have
its port on any address of the host, until the service ends. A port that somebody has already is a
lost race, and the next one is drawn.

Source: Microsoft, "Configure the Socket Pool" and KB 956188; ports and rule as in
`ports/systems.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.kernel.datagrams import ANY_ADDRESS, open_datagram
from simulator.kernel.port_sockets import sockets_on
from simulator.ports.selection.free_list import shuffled, usable_ports

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from simulator.ports.range import PortRange
    from simulator.seeds import Random


class PoolTooSmall(Exception):
    """So many ports could not be had."""


class SocketPool:
    """Bound sockets.

    Args:
        size: how many.
        ports: where their ports are drawn from.
        exclude: ports that are left to others.
        generator: where the draws come from.

    Attributes:
        sockets: in the order in which they were bound.
        ports: the port of each.
        lost_races: ports that were drawn and somebody else had.

    Raises:
        PoolTooSmall: fewer ports could be had.
        OSError: no descriptor is left.
    """

    def __init__(
        self, size: int, ports: PortRange, exclude: Sequence[PortRange], generator: Random
    ) -> None:
        self.sockets: list[socket.socket] = []
        self.ports: list[int] = []
        self.lost_races = 0
        self._drawn_from = ports
        try:
            self._fill(size, shuffled(usable_ports(ports, exclude), generator))
        except BaseException:
            self.close()
            raise

    def _fill(self, size: int, order: Sequence[int]) -> None:
        for port in order:
            if len(self.ports) == size:
                return
            sock = open_datagram(ANY_ADDRESS, port)
            if sock is None:
                self.lost_races += 1
                continue
            self.sockets.append(sock)
            self.ports.append(port)
        if len(self.ports) < size:
            raise PoolTooSmall(
                f"a pool of {size} sockets got {len(self.ports)}: of {len(order)} ports "
                f"{self.lost_races} were held by others"
            )

    def seen_by_kernel(self) -> int:
        """Ports of the pool that the kernel's own table of UDP sockets shows as bound on all."""
        ours = set(self.ports)
        table = sockets_on(self._drawn_from.first, self._drawn_from.last)
        return len(
            {
                one.sport
                for one in table.sockets
                if one.transport == "udp" and one.source == ANY_ADDRESS and one.sport in ours
            }
        )

    def close(self) -> None:
        """Give every port back."""
        for sock in self.sockets:
            sock.close()
        self.sockets.clear()
