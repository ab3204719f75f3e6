"""The bench measures the relay of a run, not a relative of it."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from simulator.bench.own_relay import serve
from simulator.kernel.sockets import open_listener
from tests.support.namespace import LOOPS, in_namespace


def turns(loop_name: str) -> list[int]:
    """Which backend got each of six connections."""
    backends = [open_listener("127.3.0.1", 0, backlog=8) for _ in range(3)]
    front = open_listener("127.2.0.1", 0, backlog=8)
    where = front.getsockname()
    pid = os.fork()
    if pid == 0:
        serve(front, [one.getsockname() for one in backends], LOOPS[loop_name])
    front.close()
    got = []
    try:
        for turn in range(6):
            backends[turn % 3].settimeout(10)
            with socket.create_connection(where, timeout=10) as client:
                client.sendall(b"x")
                accepted, _ = backends[turn % 3].accept()
                with accepted:
                    accepted.settimeout(10)
                    assert accepted.recv(1) == b"x"
                got.append(turn % 3)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return got


@pytest.mark.namespace
@pytest.mark.parametrize("loop_name", LOOPS)
def test_it_relays_round_robin(loop_name: str) -> None:
    assert in_namespace(turns, loop_name) == [0, 1, 2, 0, 1, 2]
