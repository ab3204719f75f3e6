"""What all dialers share: turns of the source addresses, resets, and telling shortages apart."""

from __future__ import annotations

import errno
import os
import resource

import pytest

from simulator.live.dialer import FAILED
from simulator.live.userspace_dialer import UserspaceDialer
from simulator.records import Call
from tests.support.namespace import in_namespace
from tests.support.port_lab import ONE, TWO, Lab, dial_until_failed

pytestmark = pytest.mark.namespace


def test_sources_and_destinations_in_step_still_meet_in_every_pair() -> None:
    def body() -> set[tuple[int, int]]:
        lab = Lab()
        dialer = lab.dialer("userspace", TWO)
        pairs = set()
        for turn in range(8):
            dialer.dial(turn % 2)
            pairs.add((turn % 2, dialer.last_source))
        return pairs

    assert in_namespace(body) == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_reset_leaves_nothing_behind() -> None:
    def body() -> int:
        lab = Lab()
        dialer = lab.dialer("kernel", ONE)
        for _ in range(300):
            fd = dialer.dial(0)
            assert fd != FAILED, os.strerror(dialer.last_error)
            dialer.reset(fd)
        return dialer.statistics().dialed

    assert in_namespace(body) == 300


def test_out_of_descriptors_is_told_from_out_of_ports() -> None:
    def body() -> tuple[int, int, int]:
        lab = Lab()
        dialer = lab.dialer("userspace", ONE)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
        held = dial_until_failed(dialer, 0)
        assert isinstance(dialer, UserspaceDialer)
        result = (dialer.last_call, dialer.last_error, held + dialer.free_ports(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return result

    assert in_namespace(body) == (Call.SOCKET, errno.EMFILE, 100)
