"""The generator bench's server: the same work for those who speak HTTP and for our clients."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from simulator.bench.answering import ANSWER_BYTES, serve
from simulator.kernel.sockets import open_listener
from simulator.live.wire import ANSWER, ANSWER_MAGIC, request_head
from tests.support.namespace import in_namespace


def answers() -> tuple[bytes, bytes]:
    listener = open_listener("127.3.0.1", 0, backlog=8)
    pid = os.fork()
    if pid == 0:
        serve(listener)
    got = []
    try:
        for asked in (b"GET / HTTP/1.1\r\n\r\n", request_head(0, ANSWER_BYTES, 0, close=False)):
            with socket.create_connection(listener.getsockname(), timeout=10) as client:
                client.sendall(asked)
                got.append(client.makefile("rb").read())  # to its end: the server closes
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return got[0], got[1]


@pytest.mark.namespace
def test_each_is_answered_in_its_own_language_and_then_closed() -> None:
    http, own = in_namespace(answers)
    head, body = http.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"Content-Length: %d" % len(body) in head
    assert ANSWER.unpack_from(own) == (ANSWER_MAGIC, 0, ANSWER_BYTES)
    assert len(own) == ANSWER.size + ANSWER_BYTES
