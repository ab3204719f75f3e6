"""The life of a connection in the model: requests, lifetimes, time-outs, silence, and its end."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.records import Call, Ending, Outcome
from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000

ONE = """
title: one by one
kernel: {port_range: 50000-50999, time_wait: 500ms}
backends: {ports: random, range: 20000-29999, service_time: 30ms}
balancer: {close: client}
traffic:
  - {name: only, for: 1s, arrivals: {constant: 10/s}, requests: 2, lifetime: 100ms}
grace: 5s
"""


@pytest.mark.parametrize("driver", ["own", "none"])
def test_requests_are_spread_over_the_lifetime(tmp_path: Path, driver: str) -> None:
    summary, run = modelled(ONE, tmp_path, f"balancer.driver={driver}")
    rows = run.connections
    assert summary["attempts"]["ok"] == 10
    since = {
        name: rows[f"{name}_ns"] - rows["sent_ns"] for name in ("first_byte", "answered", "closed")
    }
    assert np.array_equal(rows["sent_ns"], run.plan["due_ns"])
    assert set(since["first_byte"].tolist()) == {30 * MS}
    assert set(since["answered"].tolist()) == {80 * MS}  # asked again after half of the lifetime
    assert set(since["closed"].tolist()) == {100 * MS}
    assert set(rows["answers"].tolist()) == {2}


@pytest.mark.parametrize(
    ("close", "open_ms"),
    [("client", 100), ("reset", 100), ("backend", 80), ("balancer", 0)],
)
def test_who_closes_says_when_it_ends(tmp_path: Path, close: str, open_ms: int) -> None:
    given = [f"balancer.close={close}", "balancer.idle_timeout=60ms"]
    if close == "balancer":
        given.append("traffic.only.requests=3")
        open_ms = 2 * 100 // 3 + 30 + 60  # the third answer, and then silence
    summary, run = modelled(ONE, tmp_path, *given)
    assert summary["attempts"]["ok"] == 10
    lasted = (run.connections["closed_ns"] - run.connections["sent_ns"]) // MS
    assert set(lasted.tolist()) == {open_ms}
    # Who closed first keeps the tuple, so one second later the range tells who it was.
    held = {"client": 5, "balancer": 5, "backend": 0, "reset": 0}[close]
    waiting = [sample["hops"]["balancer-backend"]["time_wait"] for sample in run.samples]
    assert max(waiting) == held


def test_an_answer_that_comes_too_late_is_a_time_out(tmp_path: Path) -> None:
    _, run = modelled(ONE, tmp_path, "clients.timeout=20ms")
    rows = run.connections
    assert set(rows["error"].tolist()) == {Ending.TIMEOUT}
    assert set(rows["call"].tolist()) == {Call.RECV}
    assert set((rows["closed_ns"] - rows["sent_ns"]).tolist()) == {20 * MS}


def test_a_balancer_that_is_impatient_cuts_what_it_should_wait_for(tmp_path: Path) -> None:
    _, run = modelled(ONE, tmp_path, "balancer.idle_timeout=25ms")
    assert set(run.connections["error"].tolist()) == {Ending.EOF}
    assert set((run.connections["closed_ns"] - run.connections["sent_ns"]).tolist()) == {25 * MS}


def test_a_backend_closes_what_is_idle(tmp_path: Path) -> None:
    summary, run = modelled(ONE, tmp_path, "backends.idle_timeout=10ms")
    assert summary["verdict"]["code"] == "idle-timeout"
    assert set((run.connections["closed_ns"] - run.connections["sent_ns"]).tolist()) == {40 * MS}
    assert set(run.connections["outcome"].tolist()) == {Outcome.FAILED}


@pytest.mark.parametrize("driver", ["own", "none"])
def test_a_backend_that_hangs_is_met_by_the_time_out(tmp_path: Path, driver: str) -> None:
    given = (f"balancer.driver={driver}", "backends.faults={hanging: 1}", "clients.timeout=50ms")
    summary, run = modelled(ONE, tmp_path, *given)
    assert summary["verdict"]["code"] == "backend-slow"
    assert set((run.connections["closed_ns"] - run.connections["sent_ns"]).tolist()) == {50 * MS}


def test_without_a_balancer_a_refusal_is_the_clients_own(tmp_path: Path) -> None:
    summary, run = modelled(ONE, tmp_path, "balancer.driver=none", "backends.refusing=1")
    assert summary["attempts"]["errors"] == {"client-backend/connect/ECONNREFUSED": 10}
    assert set(run.connections["error"].tolist()) == {errno.ECONNREFUSED}
    assert summary["verdict"]["code"] == "backend-refused"


def test_pauses_and_idle_clients(tmp_path: Path) -> None:
    text = ONE.replace("lifetime: 100ms", "think: 40ms")
    _, run = modelled(text, tmp_path)
    lasted = run.connections["closed_ns"] - run.connections["sent_ns"]
    assert set(lasted.tolist()) == {(30 + 40 + 30) * MS}
    _, run = modelled(text, tmp_path, "clients.idle_timeout=15ms")
    lasted = run.connections["closed_ns"] - run.connections["sent_ns"]
    assert set(lasted.tolist()) == {(30 + 15) * MS}


def test_connections_without_requests_live_and_end(tmp_path: Path) -> None:
    summary, run = modelled(ONE, tmp_path, "traffic.only.requests=0")
    assert summary["attempts"]["ok"] == 10
    assert set((run.connections["closed_ns"] - run.connections["sent_ns"]).tolist()) == {100 * MS}


def test_a_stream_tells_its_first_byte_long_before_its_end(tmp_path: Path) -> None:
    given = (
        *("backends.stream={chunk: 64B, every: 20ms}", "traffic.only.response_size=256B"),
        *("traffic.only.requests=1", "traffic.only.lifetime=0ms", "balancer.idle_timeout=50ms"),
    )
    summary, run = modelled(ONE, tmp_path, *given)
    rows = run.connections
    assert summary["attempts"]["ok"] == 10
    assert set((rows["first_byte_ns"] - rows["sent_ns"]).tolist()) == {30 * MS}
    assert set((rows["closed_ns"] - rows["sent_ns"]).tolist()) == {(30 + 3 * 20) * MS}
    assert set(rows["bytes_in"].tolist()) == {256}
    # A time-out is for the whole answer; idle is who says nothing between two chunks.
    late, run = modelled(ONE, tmp_path, *given, "clients.timeout=80ms")
    assert late["attempts"]["errors"] == {"client-balancer/recv/TIMEOUT": 10}
    slow = ("backends.service_time=60ms", "clients.timeout=1s")
    cut, _ = modelled(ONE, tmp_path, *given, *slow)
    assert cut["attempts"]["errors"] == {"client-balancer/recv/EOF": 10}


def test_a_status_that_is_a_failure_is_told_at_the_end(tmp_path: Path) -> None:
    given = ("backends.kind=http", "backends.faults={error_rate: 1.0}")
    summary, run = modelled(ONE, tmp_path, *given)
    rows = run.connections
    assert summary["attempts"]["errors"] == {"client-balancer/recv/HTTP_500": 10}
    assert set(rows["answers"].tolist()) == {2}, "the connection goes on"
    assert set((rows["closed_ns"] - rows["sent_ns"]).tolist()) == {100 * MS}
    assert summary["hops"][1]["time_wait_peak"] == 5, "and ends as planned"


def test_an_echo_is_as_long_as_its_request(tmp_path: Path) -> None:
    given = ("backends.kind=echo", "backends.service_time=0ms", "traffic.only.request_size=300B")
    summary, run = modelled(ONE, tmp_path, *given)
    assert summary["attempts"]["ok"] == 10
    assert set(run.connections["bytes_in"].tolist()) == {600}
