"""Bench traffic over connections that stay open: small requests, large answers, or silence.

Both ends are cheap on purpose, so that the subject between them is what limits: answers come out of
the page cache (sendfile), and clients have the kernel throw away what they would read (MSG_TRUNC).
"""

from __future__ import annotations

import os
import select
import socket
from time import monotonic
from typing import TYPE_CHECKING, Final

from simulator.bench.crowd import MESSAGE_BYTES
from simulator.live.dialer import FAILED
from simulator.live.kernel_dialer import KernelDialer

if TYPE_CHECKING:
    from collections.abc import Sequence

_MESSAGE: Final = bytes(MESSAGE_BYTES)
_READ_BYTES: Final = 4096
_DISCARD_BYTES: Final = 1 << 20
_ACCEPTS: Final = 64
_OPENED_PER_TURN: Final = 64
_BOTH: Final = select.EPOLLIN | select.EPOLLOUT


class Answers:
    """Backends that send a long answer to each request, until killed.

    Args:
        listeners: non-blocking, listening.
        answer_bytes: length of each answer.
    """

    def __init__(self, listeners: Sequence[socket.socket], answer_bytes: int) -> None:
        self._by_fd = {listener.fileno(): listener for listener in listeners}
        self._answer_bytes = answer_bytes
        self._file = os.memfd_create("answer")
        os.truncate(self._file, answer_bytes)
        self._left: dict[int, int] = {}  # bytes still to be sent
        self._epoll = select.epoll()
        for fd in self._by_fd:
            self._epoll.register(fd, select.EPOLLIN)

    def serve(self) -> None:
        """Answer whatever comes; a connection ends when its client ends it."""
        while True:
            for fd, events in self._epoll.poll():
                if fd in self._by_fd:
                    self._accept(self._by_fd[fd])
                elif not events & select.EPOLLIN or self._read(fd):
                    self._send(fd)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                fd, _peer = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001
            except BlockingIOError:
                return
            os.set_blocking(fd, False)
            self._left[fd] = 0
            self._epoll.register(fd, select.EPOLLIN)

    def _read(self, fd: int) -> bool:
        """Take a request; False when there is none and the connection is closed."""
        try:
            asked = os.read(fd, _READ_BYTES)
        except OSError:
            asked = b""
        if not asked:
            del self._left[fd]
            os.close(fd)
            return False
        self._left[fd] += self._answer_bytes
        return True

    def _send(self, fd: int) -> None:
        left = self._left[fd]
        try:
            while left:
                left -= os.sendfile(fd, self._file, self._answer_bytes - left, left)
        except BlockingIOError:
            self._epoll.modify(fd, _BOTH)
        except OSError:
            del self._left[fd]
            os.close(fd)
            return
        else:
            self._epoll.modify(fd, select.EPOLLIN)
        self._left[fd] = left


class Exchange:
    """Clients that ask, wait for the whole answer and ask again, or fall silent after the first.

    Args:
        front: where the subject listens.
        sources: client addresses, used in turn.
        answer_bytes: length of each answer.
        asks_again: whether an answer is followed by the next request.
        counts: shared numbers. It keeps [0] answers complete and [1] connections failed current,
            and opens connections up to [2].
    """

    def __init__(
        self,
        front: tuple[str, int],
        sources: Sequence[str],
        answer_bytes: int,
        *,
        asks_again: bool,
        counts: memoryview[int],
    ) -> None:
        self._dialer = KernelDialer("late-bind", sources)
        self._front = self._dialer.destination(*front)
        self._answer_bytes = answer_bytes
        self._asks_again = asks_again
        self._counts = counts
        self._epoll = select.epoll()
        self._missing: dict[int, int] = {}  # bytes of the present answer, by descriptor
        self._opened = 0
        self._sink = bytearray(_DISCARD_BYTES)

    def run(self, longest_s: float) -> None:
        """Go on until killed, or for at most this long."""
        ends = monotonic() + longest_s
        while monotonic() < ends:
            for _ in range(min(_OPENED_PER_TURN, self._counts[2] - self._opened)):
                self._open()
            for fd, events in self._epoll.poll(0.01):
                if events & select.EPOLLOUT:
                    self._epoll.modify(fd, select.EPOLLIN)
                    self._ask(fd)
                else:
                    self._receive(fd)

    def _open(self) -> None:
        self._opened += 1
        fd = self._dialer.dial(self._front)
        if fd == FAILED:
            self._counts[1] += 1
            return
        self._epoll.register(fd, select.EPOLLOUT)

    def _ask(self, fd: int) -> None:
        try:
            os.write(fd, _MESSAGE)
        except OSError:
            self._fail(fd)
        else:
            self._missing[fd] = self._answer_bytes

    def _receive(self, fd: int) -> None:
        missing = self._missing.get(fd, 0)
        try:
            size = self._dialer.sockets[fd].recv_into(self._sink, 0, socket.MSG_TRUNC)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not 0 < size <= missing:
            self._fail(fd)
            return
        self._missing[fd] = missing - size
        if size == missing:
            self._counts[0] += 1
            if self._asks_again:
                self._ask(fd)

    def _fail(self, fd: int) -> None:
        self._counts[1] += 1
        self._missing.pop(fd, None)
        self._epoll.unregister(fd)
        self._dialer.close(fd)
