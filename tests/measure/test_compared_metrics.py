"""What is compared: every metric has its words, and what is missing is not measured."""

from __future__ import annotations

import pytest

from simulator.measure.compared_metrics import COSTS, compared, numbers, value_of, words
from simulator.scenario.thresholds import known_metrics
from tests.support.summaries import summary


@pytest.mark.parametrize(
    ("metric", "more"),
    [
        ("rate.ok", "more"),
        ("connect.p99", "slower"),
        ("connect.count", "more"),
        ("recovery.longest", "slower"),
        ("cpu.balancer_us_per_connection", "costlier"),
        ("failed", "more"),
    ],
)
def test_the_word_for_more_suits_the_metric(metric: str, more: str) -> None:
    assert words(metric)[0] == more


def test_costs_are_no_thresholds_and_are_found_where_summaries_keep_them() -> None:
    assert not set(COSTS) & set(known_metrics())
    assert value_of(summary(), "cpu.balancer_us_per_connection") == 104.2
    assert value_of(summary(), "memory.kernel_bytes_per_connection") is None
    assert value_of(summary(), "connect.p99") == 4_100_000
    assert value_of(summary(), "verdict") == "balancer-source-ports"


@pytest.mark.parametrize("metric", ["failed", "connect.p99", "recovery.never", *COSTS])
def test_a_summary_that_lacks_its_part_did_not_measure_it(metric: str) -> None:
    assert value_of({}, metric) is None
    assert value_of({"attempts": [], "latency_ns": 3, "cpu": None}, metric) is None


def test_rows_are_those_that_some_side_tells() -> None:
    sides = [[summary()], [summary(attempts={"errors": {"client-backend/bind/EADDRINUSE": 3}})]]
    found = dict(compared(sides))
    assert found["failed"] == [[4120.0], []]
    assert found["errors.client-backend/bind/EADDRINUSE"] == [[0.0], [3.0]]
    assert "sidecar-balancer.in_use_peak" not in found
    assert list(found)[-3:] == [  # the most frequent first
        "errors.balancer-backend/connect/EADDRNOTAVAIL",
        "errors.client-balancer/recv/EOF",
        "errors.client-backend/bind/EADDRINUSE",
    ]


def test_runs_that_tell_nothing_are_left_away() -> None:
    assert numbers([summary(), {}, summary()], "failed") == [4120.0, 4120.0]
