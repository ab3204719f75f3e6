"""Programs that keep a list of free ports themselves, and bind what it gives.

A list costs no search at all. It only knows what its own program took: a port that somebody else
holds shows when bind() fails, and after a few such lost races the program gives up.

Sources: haproxy include/haproxy/port_range.h (the ring), src/proto_tcp.c (10 attempts);
`simulator.live.dialer` for the lists of the balancer here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.ports.selection.free_list import (
    NO_PORT_LEFT,
    FreePorts,
    RandomFreePorts,
    SequentialFreePorts,
    shuffled,
    usable_ports,
)
from simulator.ports.selection.selector import NO_PORT, Asked, Pick
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Container

    from simulator.ports.range import PortRange

#: Ports that HAProxy tries to bind before it reports that it cannot.
HAPROXY_TRIES: Final = 10
#: The first try of the balancer here and those after lost races.
OWN_TRIES: Final = 4


class ListOfPorts:
    """One list for each destination, as ports are free toward it.

    Args:
        tries: ports of the list that are tried when others hold them.
    """

    def __init__(self, tries: int) -> None:
        self._tries = tries
        self._lists: dict[str | int, FreePorts] = {}

    def _new_list(self) -> FreePorts:
        raise NotImplementedError

    def pick(self, asked: Asked, in_use: Container[int]) -> Pick:
        """What the list gives; a port that somebody else holds goes back and the next is tried."""
        ports = self._lists.get(asked.destination)
        if ports is None:
            ports = self._lists[asked.destination] = self._new_list()
        for probes in range(self._tries):
            port = ports.take()
            if port == NO_PORT_LEFT:
                return Pick(NO_PORT, probes)
            if port not in in_use:
                return Pick(port, probes + 1)
            ports.give_back(port)
        return Pick(NO_PORT, self._tries)

    def give_back(self, asked: Asked, port: int) -> None:
        """The port is free again."""
        self._lists[asked.destination].give_back(port)


class RandomList(ListOfPorts):
    """Every free port alike: the balancer's ``userspace`` with ``pick: random``."""

    def __init__(self, ports: PortRange, seed: int, tries: int = OWN_TRIES) -> None:
        super().__init__(tries)
        self._stream = pure_random(seed, "selection", "random-list")
        self._order = shuffled(usable_ports(ports), self._stream)

    def _new_list(self) -> FreePorts:
        return RandomFreePorts(self._order, self._stream)


class PortRing(ListOfPorts):
    """The port that was free for longest: HAProxy's ``source address:low-high``.

    The ring starts in ascending order, and so does the balancer's ``pick: sequential``.
    """

    def __init__(self, ports: PortRange, seed: int, tries: int = HAPROXY_TRIES) -> None:
        del seed  # nothing of it is random
        super().__init__(tries)
        self._order = usable_ports(ports)

    def _new_list(self) -> FreePorts:
        return SequentialFreePorts(self._order)
