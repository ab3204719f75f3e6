"""Calls on bare descriptors do what their names say, and leave the descriptor open."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from simulator.kernel.sockets import (
    STREAM,
    linger_zero,
    local_port,
    open_listener,
    port_range_option,
    shutdown_write,
    take_error,
)


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection over loopback."""
    with open_listener("127.0.0.1", 0, backlog=1) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=10)
        accepted, _ = listener.accept()
    accepted.settimeout(10)
    return client, accepted


def test_a_listener_keeps_its_port_and_hands_its_no_delay_on() -> None:
    with open_listener("127.0.0.1", 0, backlog=8) as listener:
        port = listener.getsockname()[1]
        assert not listener.getblocking()
        with pytest.raises(OSError, match="in use"):
            open_listener("127.0.0.1", port, backlog=8)
        with socket.create_connection(listener.getsockname(), timeout=10):
            accepted, _ = listener.accept()
            # The relay relies on this for every client.
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            accepted.close()


def test_workers_can_share_a_port() -> None:
    with open_listener("127.0.0.1", 0, backlog=8, reuse_port=True) as first:
        port = first.getsockname()[1]
        with open_listener("127.0.0.1", port, backlog=8, reuse_port=True) as second:
            assert second.getsockname() == first.getsockname()


def test_shutdown_ends_one_direction_only() -> None:
    client, accepted = connected()
    with client, accepted:
        shutdown_write(client.fileno())
        assert accepted.recv(1) == b""
        accepted.sendall(b"still")
        assert os.read(client.fileno(), 10) == b"still"


def test_shutdown_of_what_is_gone_says_so() -> None:
    with socket.socket() as never, pytest.raises(OSError, match="not connected") as caught:
        shutdown_write(never.fileno())
    assert caught.value.errno == errno.ENOTCONN


def test_linger_zero_turns_close_into_a_reset() -> None:
    client, accepted = connected()
    with client, accepted:
        linger_zero(client.fileno())
        client.close()
        with pytest.raises(ConnectionResetError):
            accepted.recv(1)


def test_a_late_connect_error_is_taken_once() -> None:
    with socket.socket() as holding, socket.socket(socket.AF_INET, STREAM) as sock:
        holding.bind(("127.0.0.1", 0))  # does not listen
        assert sock.connect_ex(holding.getsockname()) == errno.EINPROGRESS
        assert take_error(sock.fileno()) == errno.ECONNREFUSED
        assert take_error(sock.fileno()) == 0


def test_the_local_port_of_a_descriptor() -> None:
    with socket.socket() as sock:
        assert local_port(sock.fileno()) == 0
        sock.bind(("127.0.0.1", 0))
        assert local_port(sock.fileno()) == sock.getsockname()[1]


def test_a_port_range_above_32767_is_packed_as_unsigned() -> None:
    # The bounds in host order, low port in the low half: ip(7), IP_LOCAL_PORT_RANGE.
    assert int.from_bytes(port_range_option(40_000, 65_535), "little") == 65_535 << 16 | 40_000
