"""Listeners that stop and begin again at their planned moments, and keep their port meanwhile.

shutdown() on a listening socket ends LISTEN and nothing else: the socket stays bound, so nobody can
take the port, and listen() begins anew. That holds only where bind() named the port; one that the
kernel picked is given up. listen() asks for the port once more, though, and connections accepted
before hold it too: both sides need SO_REUSEADDR, which these inherit from the listener. Set after
bind(), it lets nobody else in: whoever binds without it is refused as ever.

Source: net/ipv4/af_inet.c, `inet_shutdown`; tcp_set_state and SOCK_BINDPORT_LOCK; seen on 6.18.
"""

from __future__ import annotations

import socket
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from simulator.clock import monotonic_ns
from simulator.traffic.flapping import turns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from simulator.live.settings import BackendRole


def may_listen_again(listener: socket.socket) -> None:
    """Prepare a bound socket, before it listens for the first time."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def stop_listening(listener: socket.socket) -> None:
    """Refuse whoever connects from now on; the port stays bound."""
    listener.shutdown(socket.SHUT_RD)


class Flapping:
    """Calls at every planned change of a process's backends, never before it is due.

    Args:
        loop: whose timers are used.
        settings: which backends, and their times.
        change: told the backend, and whether it is to listen from now on.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: BackendRole,
        change: Callable[[int, bool], None],
    ) -> None:
        self._loop = loop
        self._settings = settings
        self._change = change
        self._agenda: list[tuple[int, int, bool]] = []  # (time, backend, listens)
        self._turns: dict[int, Iterator[tuple[int, bool]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._t0_ns = 0

    def begin(self, t0_ns: int) -> None:
        """The run starts at this monotonic moment."""
        self._t0_ns = t0_ns
        told = self._settings
        for backend, first_ns in zip(told.flapping, told.flap_first_ns, strict=True):
            self._turns[backend] = turns(
                first_ns, told.flap_up_ns, told.flap_down_ns, told.flap_end_ns
            )
            self._note(backend)
        heapify(self._agenda)
        self._arm()

    def stop(self) -> None:
        """Nothing changes any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _note(self, backend: int) -> None:
        at = next(self._turns[backend], None)
        if at is not None:
            heappush(self._agenda, (self._t0_ns + at[0], backend, at[1]))

    def _arm(self) -> None:
        if self._agenda:
            wait_s = max(0, self._agenda[0][0] - monotonic_ns()) / 1e9
            self._timer = self._loop.call_later(wait_s, self._turn)

    def _turn(self) -> None:
        # A loop may round a wait down to milliseconds; then there is nothing due yet.
        while self._agenda and self._agenda[0][0] <= monotonic_ns():
            _, backend, listens = heappop(self._agenda)
            self._change(backend, listens)
            self._note(backend)
        self._arm()
