"""One port for each connection for ever: none is given back, whatever ended it."""

from __future__ import annotations

import errno

import pytest

from simulator.live.dialer import FAILED
from simulator.live.permanent_dialer import PermanentDialer
from simulator.ports.range import PortRange
from tests.support.namespace import in_namespace
from tests.support.port_lab import ONE, PORTS, Lab, close_and_dial_again

pytestmark = pytest.mark.namespace


def test_permanent_gives_no_port_back() -> None:
    made, error = in_namespace(close_and_dial_again, "permanent", 500, PortRange(40_000, 40_009))
    assert (made, error) == (10, errno.EADDRINUSE)


def test_permanent_holds_the_port_of_a_connection_that_was_reset() -> None:
    def body() -> tuple[list[int], int, int]:
        lab = Lab()
        dialer = lab.dialer("permanent", ONE, PortRange(40_000, 40_003))
        seen = []
        for _ in range(4):
            fd = dialer.dial(0)
            seen.append(dialer.last_port)
            dialer.reset(fd)
        kept = dialer.statistics().kept
        assert dialer.dial(0) == FAILED
        error = dialer.last_error
        dialer.close_all()
        assert dialer.dial(0) != FAILED, "close_all lets go of the ports"
        return seen, kept, error

    assert in_namespace(body) == ([40_000, 40_001, 40_002, 40_003], 4, errno.EADDRINUSE)


def test_what_cannot_work_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="source address"):
        PermanentDialer((), PORTS)
