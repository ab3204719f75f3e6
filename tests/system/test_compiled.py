"""Whole runs with the compiled relay: every connection accounted for, and the wall where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import run_json, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

SCENARIO = """
title: A compiled relay
kernel: {port_range: 50000-50099, time_wait: 500ms}
backends: {count: 2, ports: random, range: 20000-29999}
balancer: {policy: round-robin, retries: 0, compiled: true}
traffic: [{name: a, for: 800ms, arrivals: {constant: 200/s}}]
variants:
  within: {balancer.workers: 2}
  beyond: {backends.count: 1, traffic.a.arrivals: {constant: 500/s}}
"""


def test_every_connection_is_accounted_for_on_both_sides_of_the_wall(tmp_path: Path) -> None:
    path = write_scenario(tmp_path / "paths.yaml", SCENARIO)
    code, found = run_json(path, "--results", tmp_path / "results")
    assert code == 0
    within, wall = (summary["attempts"] for summary in found)
    assert within["planned"] == within["ok"] == 160
    # A hundred ports toward one backend and 500/s for 0.8 s: 400 are asked, and a port is free
    # again after half a second, so about 100 + 60 are served.
    assert wall["planned"] == wall["sent"] == wall["ok"] + wall["failed"] == 400
    assert set(wall["errors"]) == {"balancer-backend/connect/EADDRNOTAVAIL"}
    assert sum(wall["errors"].values()) == wall["failed"]
    assert wall["ok"] == pytest.approx(160, abs=50)
    assert found[1]["verdict"]["code"] == "balancer-source-ports"
