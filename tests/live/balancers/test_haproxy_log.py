"""Lines as HAProxy 2.6 wrote them, and what they mean in our records."""

from __future__ import annotations

import errno

import pytest

from simulator.live.balancers.haproxy_log import ended_idle, failed_call, unserved
from simulator.records import Call, Ending

NO_PORTS = "Connect() failed for backend backends: no free ports."
NO_LIST = "Cannot bind to source address before connect() for backend backends. Aborting."


@pytest.mark.parametrize(
    ("line", "call", "error", "backend"),
    [
        ("session 127.1.0.1 40010 b0s0 SC 1 0 9", Call.CONNECT, errno.EADDRNOTAVAIL, 0),
        ("session 127.1.0.1 40010 b7s2 SC 1 0 7", Call.BIND, Ending.NO_PORT, 7),
        ("session 127.1.0.1 40010 b0s0 SC +2 1002 -", Call.CONNECT, errno.ECONNREFUSED, 0),
        ("session 127.1.0.1 40010 b0s0 sC 0 3000 -", Call.CONNECT, Ending.TIMEOUT, 0),
        ("session 127.1.0.1 40010 <NOSRV> SC 0 0 -", Call.PICK, Ending.NO_BACKEND, -1),
    ],
)
def test_a_session_without_a_backend_says_why(
    line: str, call: Call, error: int, backend: int
) -> None:
    found = unserved(line)
    assert found is not None
    assert (found.dial.call, found.dial.error, found.dial.backend) == (call, error, backend)
    assert (found.address, found.port) == ("127.1.0.1", 40_010)
    assert found.took_ns == int(line.split()[6]) * 1_000_000


@pytest.mark.parametrize(
    "line",
    [
        "session 127.1.0.1 40010 b0s0 -- 1 1005 -",  # a retry saved it
        "session 127.1.0.1 40010 b0s0 CD 0 5 -",  # the client reset it
        "session 127.1.0.1 40010 b0s0 cD 0 5 -",
        "Server backends/b0s0 is DOWN.",
        NO_PORTS,
        "",
    ],
)
def test_other_lines_are_no_refusals(line: str) -> None:
    assert unserved(line) is None


def test_a_connect_that_failed_in_the_call_has_a_line_of_its_own() -> None:
    first, second = failed_call(NO_PORTS), failed_call(NO_LIST)
    assert first is not None
    assert second is not None
    assert (first.call, first.error) == (Call.CONNECT, errno.EADDRNOTAVAIL)
    assert (second.call, second.error) == (Call.BIND, Ending.NO_PORT)
    assert failed_call("session 127.1.0.1 40010 b0s0 SC 1 0 9") is None


def test_the_end_of_an_idle_session_is_known() -> None:
    assert ended_idle("session 127.1.0.1 40010 b0s0 cD 0 106 -")
    assert not ended_idle("session 127.1.0.1 40010 b0s0 CD 0 106 -")
