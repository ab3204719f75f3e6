"""Descriptors without objects, where the relay and its dialer expect objects."""

from __future__ import annotations

import os
import socket
import struct
from _socket import socket as bare_socket
from typing import TYPE_CHECKING, Any

from simulator.kernel.sockets import STREAM

if TYPE_CHECKING:
    from collections.abc import Callable


class Nothing(dict[int, Any]):
    """What waits for a descriptor: nothing, unless it was said."""

    def __missing__(self, fd: int) -> bytes:
        return b""


class _Bare:
    """A socket's methods on a bare descriptor, which outlives this object."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*given: object) -> Any:  # noqa: ANN401 - what the method gives
            borrowed = bare_socket(socket.AF_INET, STREAM, 0, self._fd)
            try:
                return getattr(borrowed, name)(*given)
            finally:
                borrowed.detach()

        return call


class BareSockets(dict[int, Any]):
    """Stands where a dialer keeps its socket objects, and keeps none."""

    def __setitem__(self, fd: int, sock: Any) -> None:  # noqa: ANN401
        sock.detach()

    def __missing__(self, fd: int) -> _Bare:
        return _Bare(fd)

    def pop(self, fd: int, *_: object) -> Any:  # noqa: ANN401
        """The methods of its socket, once more."""
        return _Bare(fd)


def name_of(address: str, port: int) -> tuple[int, int]:
    """A struct sockaddr_in as two words."""
    packed = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port)
    words = struct.unpack("=2q", packed + socket.inet_aton(address) + bytes(8))
    return int(words[0]), int(words[1])
