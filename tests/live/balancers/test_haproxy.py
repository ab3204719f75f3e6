"""HAProxy under its minder: it serves, learns of moves, and its failures become our records."""

from __future__ import annotations

import errno
import shutil

import pytest

from simulator.live.balancers.haproxy import HaproxyBalancer, picks_of, statistics, total
from simulator.records import Call, Ending, Hop
from tests.support.minders import NO_PORT, PORTS, driver_role, live
from tests.support.namespace import LOOPS, in_namespace

needs_haproxy = pytest.mark.skipif(
    shutil.which("haproxy", path="/usr/sbin:/usr/bin") is None, reason="needs Debian's haproxy"
)
TABLE = """\
# pxname,svname,stot,econ,lbtot,
front,FRONTEND,9,,,
backends,b0s0,4,0,5,
backends,b0s1,1,0,1,
backends,b1s0,3,1,3,
backends,BACKEND,9,1,,
"""


@pytest.mark.haproxy
@pytest.mark.namespace
@needs_haproxy
@pytest.mark.parametrize("loop", LOOPS)
def test_its_life_from_the_first_backend_to_its_last_words(loop: str) -> None:
    found = in_namespace(live, loop, HaproxyBalancer, driver_role("haproxy"))
    assert found["members"] == 2
    assert found["driver"]["pid"] > 0
    assert "fd@" in found["text"]
    assert found["served"] == [b"ONE"] * 4
    assert found["nobody"] == b""
    # Toward the new endpoint each port serves once, since each closed connection holds its own.
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
    lived = found["end_ns"] - found["t0_ns"]
    assert all(0 < at < lived for at in refusals["t_ns"])
    assert sorted(found["dials"]["error"]) == sorted([NO_PORT, NO_PORT, errno.ECONNREFUSED])

    last = found["ticks"][-1]
    assert last["accepted"] == 4 + 1 + PORTS + 2 + 1
    assert last["refused"] == 4
    assert last["haproxy"]["econ"] == 4  # its own count agrees with what its log told
    assert last["rss_bytes"] > 1 << 20
    assert found["done"]["active"] == 0


@pytest.mark.haproxy
@pytest.mark.namespace
@needs_haproxy
def test_its_own_list_of_ports_gives_each_port_once_more_after_time_wait() -> None:
    role = driver_role("haproxy", sources=("127.3.0.1",), first=50_000, last=50_000 + PORTS - 1)
    found = in_namespace(live, "uvloop", HaproxyBalancer, role)
    assert found["moved"] == [b"THREE"] * (PORTS + 2)


def test_its_table_is_read_by_the_names_of_its_columns() -> None:
    rows = statistics(TABLE)
    assert total(rows, "FRONTEND", "stot") == 9
    assert total(rows, "BACKEND", "econ") == 1
    assert total(rows, "BACKEND", "no such column") == 0
    assert picks_of(rows) == {"0": 6, "1": 3}
