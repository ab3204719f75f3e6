"""Open connections: every answer counted once it is whole, every failure counted."""

from __future__ import annotations

import os
import signal

import pytest

from simulator.bench.crowd import serve
from simulator.bench.exchange import Answers, Exchange
from simulator.kernel.sockets import open_listener
from tests.support.namespace import in_namespace

pytestmark = pytest.mark.namespace


def exchange(answer_bytes: int, *, asks_again: bool) -> tuple[int, int]:
    """Answers and failures of three clients in a short time."""
    listener = open_listener("127.3.0.1", 0, backlog=64)
    pid = os.fork()
    if pid == 0:
        if answer_bytes > 64:
            Answers([listener], answer_bytes).serve()
        serve([listener])
    counts = memoryview(bytearray(24)).cast("q")
    counts[2] = 3
    clients = Exchange(
        listener.getsockname(), ("127.1.0.1",), answer_bytes, asks_again=asks_again, counts=counts
    )
    try:
        clients.run(0.3)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return counts[0], counts[1]


def small() -> tuple[int, int]:
    return exchange(64, asks_again=True)


def large() -> tuple[int, int]:
    return exchange(1_000_000, asks_again=True)


def silent() -> tuple[int, int]:
    return exchange(64, asks_again=False)


def test_small_and_large_answers_follow_one_another() -> None:
    for kind in (small, large):
        done, failed = in_namespace(kind)
        assert done > 6
        assert failed == 0


def test_silent_connections_have_one_answer_each() -> None:
    assert in_namespace(silent) == (3, 0)


def nobody() -> tuple[int, int]:
    counts = memoryview(bytearray(24)).cast("q")
    counts[2] = 2
    Exchange(("127.3.0.1", 4_000), ("127.1.0.1",), 64, asks_again=True, counts=counts).run(0.1)
    return counts[0], counts[1]


def test_a_refused_connection_is_a_failure() -> None:
    assert in_namespace(nobody) == (0, 2)
