"""Lines as nginx 1.22 wrote them, and what they mean in our records."""

from __future__ import annotations

import errno

import pytest

from simulator.live.balancers.nginx_log import Failures, ended, failed_accept
from simulator.records import Call, Ending

_END = (
    'client: 127.1.0.1, server: 127.2.0.1:8080, upstream: "127.4.0.1:20001", '
    "bytes from/to client:0/0, bytes from/to upstream:0/0"
)
NO_PORTS = (
    "2026/11/23 15:30:31 [crit] 88#88: *21 connect() to 127.4.0.1:20001 failed "
    f"(99: Cannot assign requested address) while connecting to upstream, {_END}"
)
REFUSED = (
    "2026/11/23 15:30:41 [error] 88#88: *21 connect() failed (111: Connection refused) "
    f"while connecting to upstream, {_END}"
)
TIMED_OUT = (
    "2026/11/23 15:30:41 [error] 88#88: *21 upstream timed out (110: Connection timed out) "
    f"while connecting to upstream, {_END}"
)
NOBODY = (
    "2026/11/23 15:30:41 [error] 88#88: *21 no live upstreams while connecting to upstream, "
    'client: 127.1.0.1, server: 127.2.0.1:8080, upstream: "backends", bytes from/to client:0/0'
)
AT = {("127.4.0.1", 20_001): 5}


@pytest.mark.parametrize(
    ("line", "call", "error", "backend"),
    [
        (NO_PORTS, Call.CONNECT, errno.EADDRNOTAVAIL, 5),
        (REFUSED, Call.CONNECT, errno.ECONNREFUSED, 5),
        (TIMED_OUT, Call.CONNECT, Ending.TIMEOUT, 5),
        (NOBODY, Call.PICK, Ending.NO_BACKEND, -1),
    ],
)
def test_a_failed_connect_is_joined_to_its_session(
    line: str, call: Call, error: int, backend: int
) -> None:
    failures = Failures()
    dial = failures.dial(line, AT)
    assert dial is not None
    assert (dial.call, dial.error, dial.backend) == (call, error, backend)
    client = failures.session("session 21 127.1.0.1 40010 502 0.250")
    assert client is not None
    assert client.dial == dial
    assert (client.address, client.port, client.took_ns) == ("127.1.0.1", 40_010, 250_000_000)


def test_sessions_without_a_word_on_why_are_told_as_cut() -> None:
    client = Failures().session("session 21 127.1.0.1 40010 500 0.000")
    assert client is not None
    assert (client.dial.call, client.dial.error) == (Call.RECV, errno.ECONNRESET)


def test_other_lines_are_neither() -> None:
    line = "2026/11/23 15:30:31 [notice] 87#87: start worker process 88"
    assert Failures().dial(line, AT) is None
    assert Failures().session(line) is None


def test_what_retries_saved_is_forgotten_in_the_end() -> None:
    failures = Failures()
    for number in range(20_000):
        failures.dial(REFUSED.replace("*21", f"*{number}"), AT)
    assert len(failures._last) == 10_000


def test_an_accept_that_failed_has_its_errno() -> None:
    assert failed_accept("[crit] 88#88: accept4() failed (24: Too many open files)") == errno.EMFILE
    assert failed_accept(REFUSED) == 0


def test_an_ended_session_names_whom_it_tried() -> None:
    found = ended("127.4.0.1:20002, 127.4.0.1:20003 12 34")
    assert found is not None
    assert found.tried == (("127.4.0.1", 20_002), ("127.4.0.1", 20_003))
    assert (found.bytes_up, found.bytes_down) == (12, 34)
    nobody = ended("- 0 0")
    assert nobody is not None
    assert nobody.tried == ()
    assert ended("half a line") is None
