"""Thresholds: every metric that a scenario may name finds its number in a real summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.summary import summarize
from simulator.measure.thresholds import evaluate, metric_value
from simulator.records import Call, Ending
from simulator.scenario.thresholds import HOPS, known_metrics
from tests.support.runs import MS, RunBuilder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def summary(tmp_path: Path) -> dict[str, Any]:
    run = RunBuilder().planned([i * MS for i in range(100)])
    for row in range(99):
        run.ok(row, connect=2 * MS, answer=3 * MS)
    run.failed(99, Call.RECV, Ending.EOF)
    return summarize(run.run(tmp_path))


def test_each_known_metric_is_found(summary: dict[str, Any]) -> None:
    absent = ("client-backend.", "client-sidecar.", "sidecar-balancer.", "retries.", "nat", "dns.")
    for metric in known_metrics():
        value = metric_value(summary, metric)
        if metric.startswith(absent):
            assert value is None  # our own balancer, no sidecar or NAT, and clients do not retry
        elif metric.endswith((".p99", ".p999", "response.p90", "service.p90", "connect.p90")):
            assert value is None, metric  # 100 samples are too few
        else:
            assert value is not None, metric
    assert "client-backend" in HOPS


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("failed == 0", 1.0, False),
        ("failed <= 1", 1.0, True),
        ("ok >= 99", 99.0, True),
        ("not_sent == 0", 0.0, True),
        ("verdict == failures", "failures", True),
        ("verdict != failures", "failures", False),
        ("connect.p50 < 5ms", 2.0 * MS, True),
        ("connect.p50 < 1ms", 2.0 * MS, False),
        ("connect.max <= 2ms", 2.0 * MS, True),
        ("rate.ok > 98/s", 99.0, True),
        ("connections.opened == 99", 99.0, True),
        ("errors.client-balancer/recv/EOF == 1", 1.0, True),
        ("errors.client-balancer/recv/EPIPE == 0", 0.0, True),
        ("connect.p999 < 1h", None, False),
        ("client-backend.budget >= 0", None, False),
    ],
)
def test_conditions_by_hand(
    summary: dict[str, Any], text: str, value: float | str | None, holds: bool
) -> None:
    assert evaluate(summary, [text]) == [{"text": text, "value": value, "holds": holds}]


@pytest.mark.parametrize(
    ("times", "longest", "never"),
    [
        ([], 0.0, 0.0),
        ([0.1, 0.4], 400.0 * MS, 0.0),
        ([0.1, None], None, 1.0),  # what was not got over took no time that could be told
    ],
)
def test_recovery_is_that_of_the_worst_moment(
    summary: dict[str, Any], times: list[float | None], longest: float | None, never: float
) -> None:
    told = [{"ok_before": 1.0, "recovery_s": time} for time in times]
    metrics = ("recovery.longest", "recovery.never")
    found = [metric_value({**summary, "recoveries": told}, metric) for metric in metrics]
    assert found == [pytest.approx(longest), never]
    unknown = {**summary, "recoveries": [*told, {"ok_before": None, "recovery_s": None}]}
    assert [metric_value(unknown, metric) for metric in metrics] == [None, None]
