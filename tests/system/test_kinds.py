"""Kinds of backends through the real relay: HTTP and echo, and what each counts as a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import run_json, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

SCENARIO = """
title: Kinds of backends
kernel: {port_range: 50000-59999, time_wait: 500ms}
backends: {count: 2, ports: random, range: 20000-29999, kind: http}
balancer: {policy: round-robin}
traffic: [{name: a, for: 600ms, arrivals: {constant: 100/s}, requests: 4, response_size: 10KiB}]
variants:
  streams: {backends.stream: {chunk: 5KiB, every: 2ms}, traffic.a.think: 2ms}
  closed by the backend: {balancer.close: backend}
  errors: {backends.faults: {error_rate: 0.1}}
  full:
    backends.count: 1
    backends.concurrency: 1
    backends.queue: 1
    backends.service_time: 20ms
    traffic.a.requests: 1
  idle: {backends.idle_timeout: 50ms, traffic.a.requests: 2, traffic.a.think: 150ms}
  echo: {backends.kind: echo, traffic.a.request_size: 100KiB, traffic.a.response_size: 100KiB}
"""


def time_wait_peak(summary: dict[str, Any]) -> int:
    return int(summary["hops"][-1]["time_wait_peak"])


def test_each_kind_is_served_and_accounted_for(tmp_path: Path) -> None:
    path = write_scenario(tmp_path / "kinds.yaml", SCENARIO)
    code, found = run_json(path, "--results", tmp_path / "results")
    assert code == 0
    runs = {summary["variant"]: summary for summary in found}
    for name, summary in runs.items():
        attempts = summary["attempts"]
        assert attempts["planned"] == attempts["sent"] == 60, name
        assert attempts["ok"] + attempts["failed"] == 60, name
        assert sum(attempts["errors"].values()) == attempts["failed"], name
    for name in ("streams", "closed by the backend", "echo"):
        assert runs[name]["attempts"]["ok"] == 60, name
        assert runs[name]["verdict"]["code"] == "ok"
    assert time_wait_peak(runs["streams"]) > 10  # half a second of 100/s on two backends
    assert time_wait_peak(runs["closed by the backend"]) == 0
    errors = runs["errors"]["attempts"]["errors"]
    assert set(errors) == {"client-balancer/recv/HTTP_500"}
    # 1 - 0.9^4 = 34 % of 60 connections, five deviations of 3.7 either way.
    assert errors["client-balancer/recv/HTTP_500"] == pytest.approx(20.6, abs=19)
    # One in 20 ms is served of one in 10 ms, and one more waits.
    full = runs["full"]["attempts"]
    assert set(full["errors"]) == {"client-balancer/recv/HTTP_503"}
    assert full["ok"] == pytest.approx(30, abs=8)
    assert "backends.queue" in runs["full"]["verdict"]["remedies"][0]
    # Every pause of 150 ms is longer than the backends wait; the relay passes their end on.
    assert runs["idle"]["attempts"]["failed"] == 60
    assert runs["idle"]["verdict"]["code"] == "idle-timeout"
