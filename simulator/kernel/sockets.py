"""Socket options and calls on bare descriptors, as the data path needs them.

The relay and the generator keep descriptors, not objects. A few calls exist in Python only as
methods of a socket object; those are made here on an object that lives for one call, which costs
one more system call (getsockname) and is therefore kept out of the common path.
"""

from __future__ import annotations

import socket
import struct
from _socket import socket as bare_socket
from typing import Final

#: bind() fixes the address and leaves the port to connect(). linux/in.h, since Linux 4.2.
IP_BIND_ADDRESS_NO_PORT: Final = 24
#: Ports this socket may be given: last << 16 | first. linux/in.h, since Linux 6.3.
IP_LOCAL_PORT_RANGE: Final = 51

#: Type of a socket that never blocks and is not inherited: no fcntl() needed afterwards.
#: A plain number: the enumerations of `socket` are slow to convert, for each socket made.
STREAM: Final = int(socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

#: SO_LINGER on, zero seconds: close() sends RST and leaves no TIME_WAIT.
LINGER_ZERO: Final = struct.pack("ii", 1, 0)


def port_range_option(first: int, last: int) -> bytes:
    """The value of IP_LOCAL_PORT_RANGE: low port in the low half, high port in the high half.

    As bytes, since ports above 32767 do not fit the signed int that Python would pass.
    """
    return struct.pack("=I", last << 16 | first)


def open_listener(
    address: str, port: int, *, backlog: int, reuse_port: bool = False
) -> socket.socket:
    """Bind and listen; the socket is kept, so its port is nobody else's from now on.

    Args:
        address: IPv4 address to listen on.
        port: port, or 0 to let the kernel pick (read it back with ``getsockname``).
        backlog: accept queue asked for; ``somaxconn`` caps it.
        reuse_port: let several processes listen on the same port, the kernel spreading
            connections over them.

    Returns:
        A listening, non-blocking socket; the caller closes it. Accepted sockets inherit
        TCP_NODELAY from it, which saves a call for each of them.

    Raises:
        OSError: the address and port cannot be bound.
    """
    listener = socket.socket(socket.AF_INET, STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((address, port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def _borrow(fd: int) -> bare_socket:
    return bare_socket(socket.AF_INET, STREAM, 0, fd)


def shutdown_write(fd: int) -> None:
    """Send FIN after what was written; reading goes on.

    Raises:
        OSError: the connection is gone (ENOTCONN).
    """
    borrowed = _borrow(fd)
    try:
        borrowed.shutdown(socket.SHUT_WR)
    finally:
        borrowed.detach()


def linger_zero(fd: int) -> None:
    """Make the next close() of this descriptor send RST instead of FIN."""
    borrowed = _borrow(fd)
    try:
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    finally:
        borrowed.detach()


def take_error(fd: int) -> int:
    """The errno waiting on a socket (SO_ERROR), 0 if none; reading it clears it."""
    borrowed = _borrow(fd)
    try:
        return borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    finally:
        borrowed.detach()


def local_port(fd: int) -> int:
    """The local port of a descriptor, 0 if it has none yet."""
    borrowed = _borrow(fd)
    try:
        port = borrowed.getsockname()[1]
    finally:
        borrowed.detach()
    assert isinstance(port, int)
    return port
