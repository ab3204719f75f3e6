"""Sockets by the hundred thousand that do nothing, for whoever wants to read a large table.

Each connection has two sockets in the table and one descriptor: the other end stays in the queue of
a listener that nobody accepts from. The connecting ends are divided among processes, since each has
a limit of descriptors.
"""

from __future__ import annotations

import os
import signal
import socket
from math import ceil
from typing import Final

from simulator.bench.processes import fork_on
from simulator.kernel.limits import read_machine
from simulator.kernel.sockets import open_listener
from simulator.live.dialer import FAILED
from simulator.live.port_modes import new_dialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

DESTINATION: Final = "127.4.0.1"
_PORTS: Final = PortRange(1024, 65_535)
_OWN_DESCRIPTORS: Final = 64


class Crowd:
    """Connections that are held until `close`; use it in a namespace of one's own.

    Attributes:
        sockets: in the kernel's table by now, listeners left out.
    """

    def __init__(self) -> None:
        self.sockets = 0
        self._listener = open_listener(DESTINATION, 0, backlog=10_000_000)
        self._pids: list[int] = []
        self._each = read_machine().descriptors_hard - _OWN_DESCRIPTORS

    def grow(self, sockets: int) -> None:
        """Hold so many sockets from now on.

        Args:
            sockets: all of them, those that are there included; an even number.

        Raises:
            OSError: a connection failed.
        """
        missing = (sockets - self.sockets) // 2
        for part in range(ceil(missing / self._each)):
            self._hold(min(self._each, missing - part * self._each))
        self.sockets = sockets

    def _hold(self, connections: int) -> None:
        source = f"127.1.{len(self._pids)}.1"
        ours, theirs = socket.socketpair()
        self._pids.append(
            fork_on(lambda: self._live(theirs, source, connections), os.sched_getaffinity(0))
        )
        theirs.close()
        with ours:
            if not ours.recv(1):
                raise OSError("a connection failed while sockets were made")

    def _live(self, told: socket.socket, source: str, connections: int) -> None:
        dialer = new_dialer(
            "userspace", (source,), _PORTS, generator=pure_random(1, "bench", source)
        )
        target = dialer.destination(*self._listener.getsockname())
        for _ in range(connections):
            if dialer.dial(target) == FAILED:
                raise OSError(dialer.last_error, os.strerror(max(0, dialer.last_error)))
        told.send(b"+")
        signal.pause()

    def close(self) -> None:
        """End those who hold, and the listener with its queue."""
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._pids.clear()
        self._listener.close()
