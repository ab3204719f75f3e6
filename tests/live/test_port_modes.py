"""Each way of taking a source port, against the real kernel in a namespace of 100 ports.

What is expected of the kernel is the table in port_modes.py, from its own sources and Cloudflare's
"How to stop running out of ephemeral ports and start to love long-lived connections" (2022).
"""

from __future__ import annotations

import errno
import os
from typing import get_args

import pytest

from simulator.live.port_modes import Mode
from simulator.records import Call, Ending
from tests.support.namespace import in_namespace
from tests.support.port_lab import ONE, PORTS, TWO, Lab, dial_until_failed

pytestmark = pytest.mark.namespace


def budget(mode: Mode, addresses: tuple[str, ...]) -> tuple[int, int, int, int]:
    """Connections held to the first, then to the second destination, and how it failed."""
    lab = Lab()
    dialer = lab.dialer(mode, addresses)
    first = dial_until_failed(dialer, 0)
    call, error = dialer.last_call, dialer.last_error
    second = dial_until_failed(dialer, 1)
    assert (dialer.last_call, dialer.last_error) == (call, error)
    return first, second, call, error


@pytest.mark.parametrize(
    ("mode", "addresses", "expected"),
    [
        # A tuple is the scarce thing: each destination, and each source address, has all 100.
        ("kernel", (), (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("kernel", ONE, (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("kernel", TWO, (200, 200, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("late-bind", (), (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("late-bind", ONE, (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("socket-range", (), (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("socket-range", ONE, (100, 100, Call.CONNECT, errno.EADDRNOTAVAIL)),
        ("userspace", ONE, (100, 100, Call.BIND, Ending.NO_PORT)),
        ("userspace", TWO, (200, 200, Call.BIND, Ending.NO_PORT)),
        # Here the port is: it is taken before the kernel knows what for.
        ("early-bind", (), (100, 0, Call.BIND, errno.EADDRINUSE)),
        ("early-bind", ONE, (100, 0, Call.BIND, errno.EADDRINUSE)),
        ("early-bind", TWO, (200, 0, Call.BIND, errno.EADDRINUSE)),
        ("permanent", ONE, (100, 0, Call.BIND, errno.EADDRINUSE)),
        ("permanent", TWO, (200, 0, Call.BIND, errno.EADDRINUSE)),
    ],
)
def test_budget_and_the_error_at_its_end(
    mode: Mode, addresses: tuple[str, ...], expected: tuple[int, int, int, int]
) -> None:
    assert in_namespace(budget, mode, addresses) == expected


@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_mode_connects_and_says_from_where(mode: Mode) -> None:
    def body() -> None:
        lab = Lab()
        dialer = lab.dialer(mode, TWO)
        for turn in range(4):
            fd = dialer.dial(0)
            accepted, (address, port) = lab.listeners[0].accept()
            assert dialer.last_error == 0
            assert address == TWO[dialer.last_source]
            assert dialer.last_source == turn % 2
            assert dialer.local_port(fd) == port
            assert dialer.last_port in (0, port)
            assert (dialer.last_port == port) == (mode in ("userspace", "permanent"))
            assert 0 < dialer.last_call_ns < 1_000_000_000
            assert port in PORTS
            os.write(fd, b"x")
            assert accepted.recv(10) == b"x"
            dialer.shutdown(fd)
            assert accepted.recv(10) == b""
            accepted.close()
            dialer.close(fd)
        assert dialer.statistics().dialed == 4
        assert dialer.statistics().open == 0

    in_namespace(body)
