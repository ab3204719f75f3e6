"""Connects from free ports of our own lists, one for each source address and destination."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.live.dialer import FAILED, Dialer
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

#: Further ports tried when somebody else holds the one on our list.
LOST_RACES_MAX: Final = 3
LOST_RACE: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})


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
