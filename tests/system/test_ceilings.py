"""What the main job must show, on the real kernel: laws to the per cent, counts to the unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.measure.backends import leases
from simulator.ports.lease import Lease, overlaps
from simulator.store.read import load_run
from tests.support.command import run_json, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow, pytest.mark.alone]

WALL = """
title: The law
kernel: {{port_range: {first}-{last}, time_wait: {hold_ms}ms}}
backends: {{count: 1, ports: random, range: 20000-29999}}
balancer: {{close: client, source: {{addresses: 1, ports: kernel}}}}
traffic:
  - {{name: steady, for: {seconds}s, arrivals: {{constant: {asked}/s}}}}
"""


@pytest.mark.parametrize(("ports", "hold_ms"), [(200, 250), (400, 500), (600, 400)])
def test_ceiling_is_ports_over_time_wait_within_two_per_cent(
    tmp_path: Path, ports: int, hold_ms: int
) -> None:
    law_per_s = ports / (hold_ms / 1000)
    seconds = 4  # a whole multiple of every hold, since ports come back in waves
    text = WALL.format(
        first=50000,
        last=50000 + ports - 1,
        hold_ms=hold_ms,
        seconds=seconds,
        asked=round(1.6 * law_per_s),
    )
    _, (summary,) = run_json(
        write_scenario(tmp_path / "law.yaml", text), "--results", tmp_path / "results"
    )
    assert summary["valid"], summary["doubts"]
    assert summary["verdict"]["code"] == "balancer-source-ports"
    assert summary["attempts"]["ok"] / seconds == pytest.approx(law_per_s, rel=0.02)


def test_twenty_thousand_relayed_connections_are_held_and_none_is_lost(tmp_path: Path) -> None:
    text = """
title: Twenty thousand at once
kernel: {time_wait: 60s}
backends: {count: 8, processes: 2, ports: random, range: 20000-29999}
balancer: {workers: 3, policy: least-connections, source: {addresses: 4, ports: userspace}}
clients: {processes: 2, timeout: 20s}
traffic:
  - {name: hold, for: 13s, requests: 2, hold: {connections: 20000, rate: 2500/s}}
grace: 8s
sampling: {every: 1s}
"""
    _, (summary,) = run_json(
        write_scenario(tmp_path / "held.yaml", text), "--results", tmp_path / "results"
    )
    attempts = summary["attempts"]
    assert attempts["planned"] == attempts["sent"] == attempts["ok"] == 20_000
    assert attempts["errors"] == {}
    assert summary["connections"]["peak_concurrent"] == 20_000
    backend_hop = summary["hops"][1]
    assert backend_hop["name"] == "balancer-backend"
    assert summary["backends"]["jain"] > 0.99


def test_a_thousand_backends_listen_within_a_second_and_no_port_is_held_twice(
    tmp_path: Path,
) -> None:
    text = """
title: A thousand backends
backends: {count: 1000, processes: 2, ports: random, range: 20000-29999}
balancer: {policy: random}
traffic:
  - {name: steady, for: 2s, arrivals: {constant: 1000/s}}
"""
    code, (summary,) = run_json(
        write_scenario(tmp_path / "many.yaml", text), "--results", tmp_path / "results"
    )
    assert code == 0
    run = load_run((tmp_path / "results" / "latest").resolve())
    (started,) = [event for event in run.events if event["event"] == "started"]
    assert started["crew_ready_ns"]["backend"] < 1_000_000_000
    history = [
        Lease(
            backend=one["backend"],
            address=one["address"],
            port=one["port"],
            allocator=one["allocator"],
            from_ns=one["from_ns"],
            to_ns=one["to_ns"],
            lost_races=one["lost_races"],
        )
        for one in leases(run)
    ]
    assert len({lease.backend for lease in history}) == 1000
    assert overlaps(history) == []
    picked = [backend for backend, count in summary["backends"]["picks"].items() if count]
    assert len(picked) > 800  # 2,000 uniform picks miss about 1000 / e^2 = 135 backends
