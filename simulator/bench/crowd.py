"""The traffic of the relay bench: backends that answer, and a closed loop of short connections.

Both are as plain as they can be (one epoll loop, bare descriptors) and the same for every subject.
A connection is: connect, 64 bytes up, 64 bytes down, the client closes.
"""

from __future__ import annotations

import os
import select
from time import monotonic
from typing import TYPE_CHECKING, Final

from simulator.live.dialer import FAILED
from simulator.live.kernel_dialer import KernelDialer

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

MESSAGE_BYTES: Final = 64
_MESSAGE: Final = bytes(MESSAGE_BYTES)
_READ_BYTES: Final = 4096
_ACCEPTS: Final = 64


def serve(listeners: Sequence[socket.socket]) -> None:
    """Answer 64 bytes to whatever comes, close when the other side has; until killed."""
    epoll = select.epoll()
    by_fd = {listener.fileno(): listener for listener in listeners}
    for fd in by_fd:
        epoll.register(fd, select.EPOLLIN)
    while True:
        for fd, _ in epoll.poll():
            listener = by_fd.get(fd)
            if listener is None:
                _answer(fd)
            else:
                _accept(epoll, listener)


def _accept(epoll: select.epoll, listener: socket.socket) -> None:
    for _ in range(_ACCEPTS):
        try:
            fd, _peer = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001
        except BlockingIOError:
            return
        os.set_blocking(fd, False)
        epoll.register(fd, select.EPOLLIN)


def _answer(fd: int) -> None:
    try:
        if os.read(fd, _READ_BYTES):
            os.write(fd, _MESSAGE)
            return
    except BlockingIOError:
        return
    except OSError:
        pass
    os.close(fd)


class Crowd:
    """Keeps a number of connections going at once, each one followed by the next.

    Args:
        front: where the subject listens.
        sources: client addresses, so that no tuple is met twice in a round.
        at_once: connections under way at any time.
        counts: two shared numbers it keeps current: connections completed, and failed.
    """

    def __init__(
        self,
        front: tuple[str, int],
        sources: Sequence[str],
        at_once: int,
        counts: memoryview[int],
    ) -> None:
        self._dialer = KernelDialer("late-bind", sources)
        self._front = self._dialer.destination(*front)
        self._at_once = at_once
        self._counts = counts
        self._epoll = select.epoll()
        self._unsent: set[int] = set()
        self._under_way = 0

    def run(self, longest_s: float) -> None:
        """Go on until killed, or for at most this long."""
        ends = monotonic() + longest_s
        while monotonic() < ends:
            # At the start, and after a connection that failed at once.
            for _ in range(self._at_once - self._under_way):
                self._begin()
            for fd, events in self._epoll.poll(0.1):
                if fd in self._unsent:
                    self._send(fd, events)
                else:
                    self._receive(fd)

    def _begin(self) -> None:
        fd = self._dialer.dial(self._front)
        if fd == FAILED:
            self._counts[1] += 1
            return
        self._under_way += 1
        try:
            os.write(fd, _MESSAGE)
            self._epoll.register(fd, select.EPOLLIN)
        except BlockingIOError:
            self._unsent.add(fd)
            self._epoll.register(fd, select.EPOLLOUT)
        except OSError:
            self._end(fd, failed=True)

    def _send(self, fd: int, events: int) -> None:
        self._unsent.discard(fd)
        if events & (select.EPOLLERR | select.EPOLLHUP):
            self._end(fd, failed=True)
            return
        os.write(fd, _MESSAGE)
        self._epoll.modify(fd, select.EPOLLIN)

    def _receive(self, fd: int) -> None:
        try:
            complete = len(os.read(fd, _READ_BYTES)) == MESSAGE_BYTES
        except OSError:
            complete = False
        self._end(fd, failed=not complete)
        if complete:
            self._begin()

    def _end(self, fd: int, *, failed: bool) -> None:
        self._dialer.close(fd)
        self._under_way -= 1
        self._counts[1 if failed else 0] += 1
