"""Bytes on their way through a pipe: moved from socket to socket by the kernel, never copied to us.

splice() hands pages from a socket's queue to a pipe and from there to the other socket. It pays
where bytes are plenty. A pipe takes two descriptors and up to a mebibyte of the kernel's memory, so
there are few, and a direction that gets none is copied as before.
"""

from __future__ import annotations

import fcntl
import os
from os import SPLICE_F_MOVE, SPLICE_F_NONBLOCK, splice
from typing import Final

#: Also the largest that a process without rights may ask for (fs.pipe-max-size).
PIPE_BYTES: Final = 1 << 20
#: Directions at once; without rights, 64 pipes of this size are all a user may have.
CONDUITS_MAX: Final = 16
_FLAGS: Final = SPLICE_F_MOVE | SPLICE_F_NONBLOCK


class Conduit:
    """A pipe for one direction of one connection; its length is the number of bytes in it.

    Raises:
        OSError: out of descriptors, or of what pipes may hold.
    """

    __slots__ = ("_inlet", "_left", "_outlet")

    def __init__(self) -> None:
        self._left = 0
        self._outlet, self._inlet = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(self._outlet, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            self.close()
            raise

    def __len__(self) -> int:
        return self._left

    def fill(self, fd: int) -> int:
        """Take what a socket has, into an empty pipe; 0 when the socket has ended.

        Less than the pipe holds does not mean that the socket has no more.

        Raises:
            BlockingIOError: it has nothing now.
            OSError: it was reset.
        """
        self._left = splice(fd, self._inlet, PIPE_BYTES, flags=_FLAGS)
        return self._left

    def drain(self, fd: int) -> int:
        """Give a socket as much as it takes; what stays is the length.

        Returns:
            Bytes that it took.

        Raises:
            OSError: it was reset; the length is what it was before.
        """
        left = before = self._left
        try:
            while left:
                left -= splice(self._outlet, fd, left, flags=_FLAGS)
        except BlockingIOError:
            pass
        self._left = left
        return before - left

    def close(self) -> None:
        """Let go of the pipe and what is in it."""
        self._left = 0
        os.close(self._outlet)
        os.close(self._inlet)
