"""Time series: bins add up to the run, samples keep their moments, gaps stay gaps."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from simulator.measure.series import time_series
from simulator.records import Call
from tests.support.runs import MS, RunBuilder, S, hop_sample

if TYPE_CHECKING:
    from pathlib import Path


def test_rates_by_bin_and_their_sum(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, 50 * MS, 250 * MS, 999 * MS]).started()
    run.ok(0, close=180 * MS).ok(1, close=20 * MS).ok(3)
    run.failed(2, Call.RECV, errno.ECONNRESET).refusal(2, Call.CONNECT, errno.EADDRNOTAVAIL)
    run.dial(0).dial(250 * MS, error=errno.EADDRNOTAVAIL)
    series = time_series(run.run(tmp_path))
    assert series.bin_s == 0.1
    # the last connection closes after the phase, so there is one more bin than ten
    assert series.t_s == pytest.approx([i / 10 for i in range(11)])
    assert series.rates_per_s["asked"][:4] == [20.0, 0.0, 10.0, 0.0]
    assert series.rates_per_s["ok"] == [20.0, *[0.0] * 8, 10.0, 0.0]
    assert series.rates_per_s["failed"][2] == 10.0
    assert series.open_connections == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert series.errors_per_s == {
        "balancer-backend/connect/EADDRNOTAVAIL": series.rates_per_s["failed"]
    }
    assert series.dials_per_s["failed"][2] == 10.0
    for name, count in (("asked", 4), ("sent", 4), ("ok", 3), ("failed", 1)):
        assert sum(series.rates_per_s[name]) * series.bin_s == pytest.approx(count)


def test_samples_keep_their_moments_and_the_worst_group(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for t in range(3):
        run.sample(t * S, {"balancer-backend": hop_sample(100, established=t, time_wait=10 * t)})
    hop = time_series(run.run(tmp_path)).hops["balancer-backend"]
    assert hop["t_s"] == [0.0, 1.0, 2.0]
    assert hop["in_use"] == [0.0, 11.0, 22.0]
    assert hop["left"] == [100.0, 89.0, 78.0]
    assert hop["time_wait"] == [0.0, 10.0, 20.0]


def test_a_gap_is_a_gap_and_not_a_line(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for tenth in (0, 1, 2, 3, 9, 10):  # the sampler was away for half a second
        run.sample(tenth * 100 * MS, {"client-balancer": hop_sample(100, established=1)})
    hop = time_series(run.run(tmp_path)).hops["client-balancer"]
    assert hop["t_s"] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.6, 0.9, 1.0])
    assert hop["in_use"] == [1.0, 1.0, 1.0, 1.0, None, 1.0, 1.0]
    assert {len(column) for column in hop.values()} == {7}


def test_an_empty_run_has_empty_series(tmp_path: Path) -> None:
    series = time_series(RunBuilder().planned([]).run(tmp_path))
    assert sum(series.rates_per_s["asked"]) == 0.0
    assert series.hops == {}
    assert series.errors_per_s == {}


def test_wider_bins_hold_the_same(tmp_path: Path) -> None:
    run = RunBuilder().planned([i * 10 * MS for i in range(100)])
    for row in range(100):
        run.ok(row)
    read = run.run(tmp_path)
    for bin_ns in (MS, 100 * MS, S, 10 * S):
        series = time_series(read, bin_ns=bin_ns)
        assert sum(series.rates_per_s["ok"]) * series.bin_s == pytest.approx(100)
