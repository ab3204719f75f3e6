"""The server of the generator bench: one answer for each connection, then it closes.

It speaks HTTP to those who ask so (wrk, ab) and this project's own protocol to our clients, with
the same system calls for both: accept, read, write, close. One epoll loop, bare descriptors.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from simulator.live.wire import ANSWER, ANSWER_MAGIC

if TYPE_CHECKING:
    import socket

ANSWER_BYTES: Final = 64
_ACCEPTS: Final = 64
_READ_BYTES: Final = 4096
_HTTP: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 2\r\nConnection: close\r\n\r\nok"
)
_OWN: Final = ANSWER.pack(ANSWER_MAGIC, 0, ANSWER_BYTES) + bytes(ANSWER_BYTES)


def serve(listener: socket.socket) -> None:
    """Answer whatever comes, until killed."""
    epoll = select.epoll()
    door = listener.fileno()
    epoll.register(door, select.EPOLLIN)
    accept = listener._accept  # type: ignore[attr-defined]  # noqa: SLF001
    while True:
        for fd, _ in epoll.poll():
            if fd == door:
                with suppress(BlockingIOError):
                    for _ in range(_ACCEPTS):
                        fresh = accept()[0]
                        os.set_blocking(fresh, False)
                        if not _answer(fresh):
                            epoll.register(fresh, select.EPOLLIN)
            else:
                _answer(fd)


def _answer(fd: int) -> bool:
    """Read, answer, close; whether there was something to read."""
    try:
        asked = os.read(fd, _READ_BYTES)
        if asked:
            os.write(fd, _HTTP if asked.startswith(b"GET") else _OWN)
    except BlockingIOError:
        return False
    except OSError:
        pass  # the client is gone; it will say so itself
    os.close(fd)
    return True
