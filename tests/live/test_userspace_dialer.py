"""Ports of our own lists: taken back at once, shared by nobody, and lost races come to an end."""

from __future__ import annotations

import errno
import socket

import pytest

from simulator.live.dialer import FAILED
from simulator.live.userspace_dialer import LOST_RACES_MAX, UserspaceDialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random
from tests.support.namespace import in_namespace
from tests.support.port_lab import ONE, PORTS, Lab, close_and_dial_again, dial_until_failed

pytestmark = pytest.mark.namespace


def test_userspace_takes_its_tuples_back_from_time_wait_at_once() -> None:
    # tcp_tw_reuse is off: an explicitly bound port goes by timestamps alone.
    assert in_namespace(close_and_dial_again, "userspace", 500, PortRange(40_000, 40_009)) == (
        500,
        0,
    )


def test_a_port_that_somebody_else_holds_is_a_lost_race() -> None:
    def body() -> tuple[set[int], int]:
        lab = Lab()
        other = socket.socket()
        other.bind((ONE[0], 40_001))
        other.listen()
        dialer = lab.dialer("userspace", ONE, PortRange(40_000, 40_003))
        ports = set()
        for _ in range(3):
            assert dialer.dial(0) != FAILED
            ports.add(dialer.last_port)
        return ports, dialer.statistics().lost_races

    ports, lost = in_namespace(body)
    assert ports == {40_000, 40_002, 40_003}
    assert lost >= 1


def test_lost_races_come_to_an_end() -> None:
    def body() -> tuple[int, int, int]:
        lab = Lab()
        for port in range(40_000, 40_010):
            other = socket.socket()
            other.bind((ONE[0], port))
            other.listen()
            other.detach()
        dialer = lab.dialer("userspace", ONE, PortRange(40_000, 40_009))
        assert dialer.dial(0) == FAILED
        assert isinstance(dialer, UserspaceDialer)
        return dialer.last_error, dialer.statistics().lost_races, dialer.free_ports(0)

    # Every port is back on the list, since the others may let go of theirs.
    assert in_namespace(body) == (errno.EADDRINUSE, LOST_RACES_MAX + 1, 10)


def test_a_refused_connect_gives_its_port_back() -> None:
    def body() -> tuple[int, int, int]:
        lab = Lab()
        dialer = lab.dialer("userspace", ONE)
        nobody = dialer.destination("127.3.0.1", 1_999)
        fd = dialer.dial(nobody)  # begun; the refusal comes later
        assert isinstance(dialer, UserspaceDialer)
        free = dialer.free_ports(nobody)
        error = dialer.take_error(fd)
        dialer.close(fd)
        return free, error, dialer.free_ports(nobody)

    assert in_namespace(body) == (99, errno.ECONNREFUSED, 100)


def test_slices_of_two_workers_never_meet() -> None:
    def body() -> tuple[int, int]:
        lab = Lab()
        workers = [lab.dialer("userspace", ONE, PORTS.slice(index, 2)) for index in (0, 1)]
        for worker in workers:
            assert dial_until_failed(worker, 0) == 50
        return workers[0].statistics().lost_races, workers[1].statistics().lost_races

    assert in_namespace(body) == (0, 0)


def test_what_cannot_work_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="source address"):
        UserspaceDialer((), PORTS, "random", pure_random(1))
