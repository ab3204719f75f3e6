"""Connections to oneself on the real kernel: they happen, are noticed, and leave the port free."""

from __future__ import annotations

import errno
import socket

import pytest

from simulator.live.self_connect import WaryDialer
from simulator.records import Call, Ending
from tests.support.namespace import in_namespace, write_sysctl

HERE = "127.0.0.1"
FIRST, LAST = 50_000, 50_099
TRIES = 2_000


def poll_a_closed_port(port: int) -> tuple[int, int, bool]:
    """Tries that met themselves, tries that were refused, and whether the port is free after."""
    write_sysctl("ip_local_port_range", f"{FIRST} {LAST}")
    dialer = WaryDialer("kernel", ())
    destination = dialer.destination(HERE, port)
    met = refused = 0
    for _ in range(TRIES):
        fd = dialer.dial(destination)
        if fd < 0:
            assert (dialer.last_call, dialer.last_error) == (Call.CONNECT, Ending.SELF_CONNECT)
            assert dialer.last_port == port
            met += 1
        else:
            assert dialer.last_port != port
            refused += dialer.take_error(fd) == errno.ECONNREFUSED
            dialer.close(fd)
    assert dialer.statistics().open == 0
    assert dialer.statistics().failed == met
    with socket.socket() as service:
        try:
            service.bind((HERE, port))
        except OSError:
            return met, refused, False
    return met, refused, True


@pytest.mark.namespace
def test_who_polls_a_closed_port_meets_itself_once_in_half_the_range() -> None:
    met, refused, free = in_namespace(poll_a_closed_port, FIRST)
    expected = TRIES / ((LAST - FIRST + 1) / 2)
    assert abs(met - expected) < 5 * expected**0.5
    assert met + refused == TRIES
    assert free


@pytest.mark.namespace
def test_outside_the_range_nobody_meets_itself() -> None:
    assert in_namespace(poll_a_closed_port, LAST + 2) == (0, TRIES, True)


def test_where_somebody_listens_it_is_a_dialer_like_any_other() -> None:
    dialer = WaryDialer("kernel", ())
    with socket.create_server((HERE, 0)) as server:
        fd = dialer.dial(dialer.destination(*server.getsockname()))
        accepted, peer = server.accept()
        assert peer == (HERE, dialer.last_port)
        assert fd in dialer.sockets
        accepted.close()
        dialer.close_all()
