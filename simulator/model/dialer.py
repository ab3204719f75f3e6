"""How a connect of the model takes its port: the modes of `live/port_modes.py`, without sockets.

Turns of source addresses, free lists and their draws are those of the kernel engine, from streams
of the same names, so that ports that we pick ourselves come in the same order. Where the kernel
picks, its own walk is made (`kernel_ports.py`), and every dial tells how many ports it looked at.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from simulator.model.kernel_ports import KernelList
from simulator.model.tuples import ANY, EachOnce, Group, HopTuples
from simulator.ports.selection.free_list import (
    RandomFreePorts,
    SequentialFreePorts,
    shuffled,
    usable_ports,
)
from simulator.preflight.hops import blocked_ns, source_ports
from simulator.records import Call, Ending
from simulator.scenario.schema import BINDS_A_PORT
from simulator.seeds import pure_random, stream_key

if TYPE_CHECKING:
    from simulator.model.connection import Taken
    from simulator.model.kernel_ports import KernelPorts
    from simulator.ports.selection.free_list import FreePorts
    from simulator.scenario.schema import Scenario
    from simulator.scenario.source import Source

#: mode -> call and error of a connect that finds no port (Linux 6.18; `live/port_modes.py`).
NO_PORT: Final = {
    "kernel": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "late-bind": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "socket-range": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "early-bind": (Call.BIND, errno.EADDRINUSE),
    "permanent": (Call.BIND, errno.EADDRINUSE),
    "userspace": (Call.BIND, Ending.NO_PORT),
}


class Dialer:
    """The source ports of one worker on one hop.

    Args:
        scenario: whose.
        source: addresses and ports.
        name: of the random streams, ``client`` or ``balancer``.
        worker: which of several.
        workers: how many.
        tuples: of the hop; groups of kernel modes are shared by all workers.
        shared: groups that workers share, by source and destination.
        kernel: picks ports where we do not.

    Attributes:
        last_source: index of the source address of the last dial.
        last_port: its port, 0 = none.
        no_port: call and error of a dial that finds none.
    """

    def __init__(
        self,
        scenario: Scenario,
        source: Source,
        name: str,
        worker: int,
        workers: int,
        tuples: HopTuples,
        shared: dict[tuple[int, int], Group],
        kernel: KernelPorts,
    ) -> None:
        mode = source.ports
        ports = source_ports(scenario, source)
        own = mode in BINDS_A_PORT
        if own:
            ports = ports.slice(worker, workers)
        self.last_source = 0
        self.last_port = 0
        call, error = NO_PORT[mode]
        self.no_port = (int(call), int(error))
        self.tells_port = own
        self._mode = mode
        self._addresses = source.addresses
        self._per_address = mode in ("early-bind", "permanent")
        self._blocked_ns = blocked_ns(scenario, source)
        # Another system's kernel is none of ours: its ports are a list, as our own are, and
        # listeners and reservations of this machine do not bind it.
        self._is_list = own or source.rules is not None
        self._kernel = kernel
        self._name = name
        self._ports = ports
        self._tuples = tuples
        self._groups: dict[tuple[int, int], Group] = {} if own else shared
        seed = stream_key(scenario.seed, name, worker) >> 65
        self._generator = pure_random(seed, f"{name}-ports", worker)
        self._ascending = usable_ports(ports)
        in_order = source.rules is not None and source.rules.in_order
        self._is_random = (self._is_list and not own and not in_order) or (
            mode == "userspace" and source.pick == "random"
        )
        self._order = (
            shuffled(self._ascending, self._generator) if self._is_random else self._ascending
        )
        self._turn: list[int] = []

    def know(self, destination: int) -> None:
        """A destination that may be dialed from now on; known ones are no news.

        Destinations begin at different addresses, so that few connections spread too.
        """
        while len(self._turn) <= destination:
            self._turn.append(len(self._turn) % self._addresses)

    def dial(self, destination: int, now_ns: int) -> Taken | None:
        """Take a port toward a destination; None when there is none.

        The port is in ``last_port``.
        """
        if self._mode == "userspace":
            return self._dial_from_any(destination, now_ns)
        # Of permanent ports it is the next pair of port and address that was never used, the
        # address going round fastest; when all are through, the one that comes next is still held.
        permanent = self._mode == "permanent"
        self.last_source = source = self._next_source(0 if permanent else destination)
        group = self._group(source, ANY if self._per_address else destination)
        return self._take(group, destination, now_ns)

    def _dial_from_any(self, destination: int, now_ns: int) -> Group | None:
        """The next source address that has a port of its own list left."""
        for _ in range(self._addresses):
            group = self._group(self._next_source(destination), destination)
            self.last_port = port = group.take(now_ns)
            if port:
                self.last_source = group.source
                return group
        return None

    def _take(self, group: Group, destination: int, now_ns: int) -> Group | None:
        """Take a port of a group; where the kernel looks for it, what that took is noted."""
        if self._is_list:  # the list knows the next one
            self.last_port = port = group.take(now_ns)
            return group if port else None
        self.last_port = port = group.take(now_ns)
        free = group.free
        assert isinstance(free, KernelList)
        before = group.in_use - (port != 0)
        self._tuples.note(now_ns, group.source, destination, before, port, free.probes)
        return group if port else None

    def _next_source(self, destination: int) -> int:
        if self._addresses == 1:
            return 0
        self.know(destination)
        source = self._turn[destination]
        self._turn[destination] = source + 1 if source + 1 < self._addresses else 0
        return source

    def _group(self, source: int, destination: int) -> Group:
        group = self._groups.get((source, destination))
        if group is None:
            free = self._new_list(f"{self._name} {source} {destination}")
            group = Group(source, destination, free, self._blocked_ns)
            self._groups[source, destination] = group
            self._tuples.groups.append(group)
        return group

    def _new_list(self, name: str) -> FreePorts:
        if not self._is_list:
            return self._kernel.toward(self._mode, self._ports, name)
        if self._mode == "permanent":
            return EachOnce(self._ascending)
        if self._is_random:
            return RandomFreePorts(self._order, self._generator)
        return SequentialFreePorts(self._order)
