"""The bench's own traffic: closed loop, every failure counted."""

from __future__ import annotations

import os
import signal

import pytest

from simulator.bench.crowd import Crowd, serve
from simulator.kernel.sockets import open_listener
from tests.support.namespace import in_namespace

pytestmark = pytest.mark.namespace


def against_a_backend() -> tuple[int, int]:
    listener = open_listener("127.3.0.1", 0, backlog=64)
    pid = os.fork()
    if pid == 0:
        serve([listener])
    counts = memoryview(bytearray(16)).cast("q")
    try:
        Crowd(listener.getsockname(), ("127.1.0.1",), 8, counts).run(0.3)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return counts[0], counts[1]


def test_connections_are_completed_one_after_the_other() -> None:
    done, failed = in_namespace(against_a_backend)
    assert done > 50
    assert failed == 0


def against_nobody() -> tuple[int, int]:
    counts = memoryview(bytearray(16)).cast("q")
    Crowd(("127.3.0.1", 4_000), ("127.1.0.1",), 2, counts).run(0.1)
    return counts[0], counts[1]


def test_a_refused_connection_is_a_failure() -> None:
    done, failed = in_namespace(against_nobody)
    assert done == 0
    assert failed > 0
