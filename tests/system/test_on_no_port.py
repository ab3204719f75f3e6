"""Out of ports as back-pressure, on the kernel: the wall becomes a wait, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import run_json, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

#: 200 ports held 200 ms each: 1,000 a second at most, where 1,500 are asked for in two seconds.
SCENARIO = """\
title: more than the ports sustain
kernel: {port_range: 50000-50199, time_wait: 200ms}
backends: {ports: random, range: 20000-29999}
balancer: {retries: 0, source: {ports: late-bind}}
traffic:
  - {name: over, for: 2s, arrivals: {constant: 1500/s}}
grace: 6s
"""
QUEUE = ("--set", "balancer.on_no_port=queue", "--set", "balancer.queue={size: 5000, timeout: 8s}")


@pytest.mark.parametrize("waits", [False, True])
def test_who_waits_is_served_and_who_does_not_is_refused(waits: bool, tmp_path: Path) -> None:
    path = write_scenario(tmp_path / "over.yaml", SCENARIO)
    _, (summary,) = run_json(path, "--results", tmp_path / "results", *(QUEUE if waits else ()))
    attempts = summary["attempts"]
    assert attempts["planned"] == attempts["sent"] == 3000
    assert summary["verdict"]["code"] == "balancer-source-ports", "hidden or not"
    if not waits:
        assert summary["care"] == {}
        # 200 at once and 1,000/s after that, for two seconds, at the very most.
        assert 0.97 * (3000 - 200 - 1000 * 2) <= attempts["failed"] <= 1300
        return
    assert (attempts["ok"], attempts["failed"]) == (3000, 0)
    assert summary["care"]["queued"] > 500
    # The last one waits for all that was asked beyond what the ports sustain: 3000/1000 - 2 s,
    # less the first 200 that had not to wait; a queue that is looked after in turns adds to it.
    assert 0.78e9 <= summary["latency_ns"]["response"]["max"] <= 1.6e9
