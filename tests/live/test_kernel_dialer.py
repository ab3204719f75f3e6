"""Ports that the kernel picks: a range of the socket's own, and no return from TIME_WAIT."""

from __future__ import annotations

import errno

import pytest

from simulator.live.kernel_dialer import KernelDialer
from simulator.ports.range import PortRange
from tests.support.namespace import in_namespace
from tests.support.port_lab import ONE, Lab, close_and_dial_again, dial_until_failed

pytestmark = pytest.mark.namespace


def held_within(ports: PortRange) -> int:
    lab = Lab()
    return dial_until_failed(lab.dialer("socket-range", ONE, ports), 0)


def test_socket_range_narrows_the_namespace_range_to_the_last_port() -> None:
    # Stride 1: an odd number of ports is used whole, unlike the namespace's own range.
    assert in_namespace(held_within, PortRange(40_010, 40_016)) == 7


def test_the_kernel_does_not() -> None:
    made, error = in_namespace(close_and_dial_again, "kernel", 500, PortRange(40_000, 40_009))
    assert (made, error) == (10, errno.EADDRNOTAVAIL)


def test_what_cannot_work_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="port range"):
        KernelDialer("socket-range", ())
