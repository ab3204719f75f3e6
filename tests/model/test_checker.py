"""Health checks of the model: how many there are, what they hold, and whom they take out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.records import Ending
from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
title: checks
kernel: {port_range: 50000-50999, time_wait: 500ms}
backends: {count: 4, ports: random, range: 20000-29999}
balancer: {close: reset, retries: 0, health_checks: {every: 100ms, close: fin}}
traffic:
  - {name: only, for: 2s, arrivals: {constant: 40/s}}
"""


@pytest.mark.parametrize(("close", "held"), [("fin", 5), ("reset", 0)])
def test_checks_cost_their_rate_times_time_wait(tmp_path: Path, close: str, held: int) -> None:
    summary, run = modelled(TEXT, tmp_path, f"balancer.health_checks.close={close}")
    # Four backends ten times a second, all along and until what is open is done.
    assert summary["care"]["checks"] == pytest.approx(40 * 2, abs=4)
    [_, hop] = summary["hops"]
    assert hop["time_wait_peak"] == pytest.approx(held, abs=1)
    assert len(run.dials["t_ns"]) == 80, "checks are in no dial record"


def test_who_fails_its_checks_is_out_and_who_passes_them_is_back(tmp_path: Path) -> None:
    given = (
        "backends.flapping={count: 1, up: 500ms, down: 500ms}",
        "balancer.health_checks={every: 20ms, fall: 2, rise: 3}", "traffic.only.for=3s",
        "traffic.only.arrivals.constant=400/s",
    )  # fmt: skip
    summary, run = modelled(TEXT, tmp_path, *given)
    downs = [one for one in run.events if one["event"] == "backend-down"]
    # Until the second failed check, 20 to 40 ms, a quarter of 400/s is refused.
    refused = np.count_nonzero(run.dials["error"])
    assert refused == pytest.approx(3 * len(downs), abs=len(downs))
    assert summary["care"]["checks_failed"] == pytest.approx(25 * len(downs), abs=26)
    assert summary["care"]["out_peak"] == 1
    # It is picked again after three good ones.
    ups = [one["t_ns"] for one in run.events if one["event"] == "backend-up"]
    [flaps] = {one["backend"] for one in downs}
    picked = run.dials["t_ns"][(run.dials["backend"] == flaps) & (run.dials["error"] == 0)]
    for up in ups:
        later = picked[picked > up]
        if len(later):
            assert 40_000_000 < later.min() - up < 100_000_000


def test_a_check_without_a_port_says_nothing_about_a_backend(tmp_path: Path) -> None:
    given = ("kernel.port_range=50000-50001", "kernel.time_wait=60s", "backends.count=2")
    summary, _ = modelled(TEXT, tmp_path, *given)
    assert summary["care"]["checks_without_port"] > 10
    assert summary["care"]["checks_failed"] == summary["care"]["out_peak"] == 0


def test_a_backend_that_hangs_passes_until_its_queue_is_full(tmp_path: Path) -> None:
    given = (
        "backends={count: 3, faults: {hanging: 1}, backlog: 4}", "clients.timeout=100ms",
        "balancer.health_checks={every: 20ms, timeout: 50ms, close: reset, fall: 3}",
        "balancer.connect_timeout=100ms",
    )  # fmt: skip
    summary, run = modelled(TEXT, tmp_path, *given)
    assert summary["care"]["out_peak"] == 1
    assert summary["care"]["checks_failed"] == pytest.approx((2000 - 100) / 20, rel=0.1)
    assert set(run.dials["error"].tolist()) <= {0, int(Ending.TIMEOUT)}
    assert run.dials["t_ns"][run.dials["backend"] == 0].max() < 500_000_000
