"""nginx under its minder: it serves, reloads for moves, and its failures become our records."""

from __future__ import annotations

import errno

import pytest

from simulator.kernel.peers import look_for
from simulator.live.balancers.nginx import NginxBalancer
from simulator.records import Call, Ending, Hop
from tests.support.minders import NO_PORT, PORTS, driver_role, live
from tests.support.namespace import LOOPS, in_namespace

pytestmark = [
    pytest.mark.nginx,
    pytest.mark.namespace,
    pytest.mark.skipif(
        bool(look_for("nginx").missing), reason="needs nginx and libnginx-mod-stream"
    ),
]


@pytest.mark.parametrize("loop", LOOPS)
def test_its_life_from_the_first_backend_to_its_last_words(loop: str) -> None:
    found = in_namespace(live, loop, NginxBalancer, driver_role("nginx"))
    assert found["members"] == 2
    assert found["driver"]["pid"] > 0
    assert "proxy_pass backends;" in found["text"]
    assert found["served"] == [b"ONE"] * 4
    assert found["nobody"] == b""
    assert found["moved"] == [b"THREE"] * PORTS + [b"", b""]
    assert found["refused"] == b""

    refusals = found["refusals"]
    assert list(zip(refusals["call"], refusals["error"], refusals["backend"], strict=True)) == [
        (Call.PICK, Ending.NO_BACKEND, -1),
        (Call.CONNECT, NO_PORT, 1),
        (Call.CONNECT, NO_PORT, 1),
        (Call.CONNECT, errno.ECONNREFUSED, 0),
    ]
    assert set(refusals["hop"]) == {Hop.BALANCER_BACKEND}
    assert found["dials"]["error"] == [NO_PORT, NO_PORT, errno.ECONNREFUSED]
    assert found["dials"]["backend"] == [1, 1, 0]

    last = found["ticks"][-1]
    assert last["refused"] == 4
    assert last["nginx"]["reloads"] == 3
    assert last["rss_bytes"] > 1 << 20


def test_several_addresses_are_drawn_for_each_connection() -> None:
    role = driver_role("nginx", sources=("127.3.0.1", "127.3.0.2"))
    found = in_namespace(live, "uvloop", NginxBalancer, role)
    # Twelve connections over two addresses of ten ports each; a draw may be uneven, not one-sided.
    assert found["moved"].count(b"THREE") > PORTS
