"""The load generator of the commonest scenario, which is also the one that is asked for most.

Clients that connect to one front, carry what they carry and close. The rules are those of
`client.py`; what differs is how much of the work is left out where nobody misses it:

* Who is behind with its plan takes up many rows before it looks at answers, and by then the answer
  of the first is nearly always there. So it looks before it tells epoll of the descriptor; to
  register it, and to have the kernel say that it is readable, would mostly have been in vain.
* The end of a connection that went well is one call instead of four.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from simulator.clock import monotonic_ns
from simulator.live.client import WAITING, LoadClient
from simulator.records import Outcome

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.ledger import Ledger
    from simulator.live.settings import ClientRole

_IS_OK = int(Outcome.OK)


def is_prompt(settings: ClientRole) -> bool:
    """Whether `PromptClient` can do what is asked."""
    return (
        settings.front is not None
        and settings.close == "client"
        and settings.source.mode != "permanent"
    )


class PromptClient(LoadClient):
    """One generator process with little to do for each connection (`is_prompt`)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: ClientRole,
        ledger: Ledger,
    ) -> None:
        super().__init__(loop, sock, index, settings, ledger)
        self._is_behind = False
        self._unwatched: list[tuple[int, list[int]]] = []  # begun, and epoll does not know

    def _wake(self) -> None:
        if self._unwatched:
            self._look_at_unwatched()
        super()._wake()

    def _arm(self) -> None:
        if self._unwatched:
            self._timer.set(1)  # at once
        else:
            super()._arm()

    def _take_up_due(self) -> None:
        super()._take_up_due()
        row = self._next_row
        self._is_behind = (
            row < self._total
            and self.t0_ns > 0
            and self._plan["due_ns"][row] <= monotonic_ns() - self.t0_ns
        )

    def _begin(self, fd: int, entry: list[int]) -> None:
        if not self._is_behind or not self._plan["requests"][entry[0]]:
            super()._begin(fd, entry)
            return
        data = self._request(entry)
        try:
            sent = os.write(fd, data)
        except BlockingIOError:  # SYN_SENT: the handshake is still on its way
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT)
            return
        except OSError as error:
            self._fail_first(fd, entry, error.errno or 0)
            return
        self._note_connected(fd, entry)
        entry[1] = WAITING
        entry[3] = 1
        if sent < len(data):
            self._unsent[fd] = memoryview(data)[sent:]
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT)
        else:
            self._unwatched.append((fd, entry))

    def _look_at_unwatched(self) -> None:
        """Take in what has come meanwhile; epoll watches the rest."""
        open_ = self._open
        unwatched, self._unwatched = self._unwatched, []
        for fd, entry in unwatched:
            if open_.get(fd) is entry:
                self._readable(fd, entry)
                if open_.get(fd) is entry:
                    self._epoll.register(fd, select.EPOLLIN)

    def _finish(self, fd: int, entry: list[int], *, reset: bool) -> None:
        if reset or self._unsent:
            super()._finish(fd, entry, reset=reset)
            return
        row = entry[0]
        rows = self._rows
        del self._open[fd]
        self._dialer.close(fd)
        rows["closed_ns"][row] = monotonic_ns() - self.t0_ns
        rows["outcome"][row] = _IS_OK
        self.ok += 1
