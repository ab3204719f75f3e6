"""The plain relay is a fair subject: it carries bytes both ways and ends when both sides have."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from simulator.bench.uvloop_relay import serve
from simulator.kernel.sockets import open_listener
from tests.support.namespace import in_namespace


def exchange() -> tuple[bytes, bytes, bytes, bytes]:
    backend = open_listener("127.3.0.1", 0, backlog=8)
    front = open_listener("127.2.0.1", 0, backlog=8)
    where = front.getsockname()
    pid = os.fork()
    if pid == 0:
        serve(front, [backend.getsockname()])
    front.close()
    backend.settimeout(10)
    try:
        client = socket.create_connection(where, timeout=10)
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        accepted, _ = backend.accept()
        accepted.settimeout(10)
        asked, ended = accepted.recv(100), accepted.recv(100)
        accepted.sendall(b"answer")
        accepted.close()
        return asked, ended, client.recv(100), client.recv(100)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.namespace
def test_question_answer_and_both_ends_pass() -> None:
    assert in_namespace(exchange) == (b"question", b"", b"answer", b"")
