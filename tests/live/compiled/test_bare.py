"""Methods of socket objects on descriptors that nobody's object may close."""

from __future__ import annotations

import os
import socket

import pytest

from simulator.kernel.sockets import LINGER_ZERO
from simulator.live.compiled.bare import BareSockets, Nothing, name_of


def test_a_name_is_what_the_kernel_takes_for_it() -> None:
    words = b"".join(word.to_bytes(8, "little", signed=True) for word in name_of("127.3.0.9", 443))
    # ip(7): family in the machine's order, port and address in the network's, eight zeroes.
    assert words == b"\x02\x00" + b"\x01\xbb" + bytes([127, 3, 0, 9]) + bytes(8)


def test_nothing_waits_for_anybody_until_it_is_said() -> None:
    waiting = Nothing()
    assert not waiting[7]
    waiting[7] = b"now"
    assert waiting[7] == b"now"
    assert not waiting[8]


def test_a_socket_put_in_leaves_its_descriptor_open_and_no_object() -> None:
    sockets = BareSockets()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        fd = ours.fileno()
        sockets[fd] = ours
        assert ours.fileno() == -1, "the object has let go of it"
        assert not sockets
        sockets[fd].shutdown(socket.SHUT_WR)
        assert theirs.recv(1) == b""
        os.fstat(fd)
        sockets.pop(fd).close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_options_are_set_and_errors_are_raised() -> None:
    sockets = BareSockets()
    sock = socket.socket()
    fd = sock.fileno()
    sockets[fd] = sock
    sockets[fd].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    assert sockets[fd].getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == LINGER_ZERO
    with pytest.raises(OSError, match="not connected"):
        sockets[fd].shutdown(socket.SHUT_WR)
    sockets.pop(fd).close()
