"""Thresholds: what they name, how they compare, and in whose unit."""

from __future__ import annotations

import pytest

from simulator.scenario.thresholds import (
    LATENCIES,
    OPERATORS,
    RATES,
    VERDICTS,
    known_metrics,
    parse_threshold,
)


@pytest.mark.parametrize(
    ("text", "metric", "bound"),
    [
        ("connect.p99 < 5ms", "connect.p99", 5e6),
        ("connect.count >= 5", "connect.count", 5.0),
        ("rate.ok > 60/min", "rate.ok", 1.0),
        ("failed == 0", "failed", 0.0),
        ("verdict != ok", "verdict", "ok"),
        ("balancer-backend.in_use_peak==16384", "balancer-backend.in_use_peak", 16384.0),
        (
            "errors.balancer-backend/connect/EADDRNOTAVAIL >= 1",
            "errors.balancer-backend/connect/EADDRNOTAVAIL",
            1.0,
        ),
    ],
)
def test_a_condition_is_read_in_its_metrics_unit(
    text: str, metric: str, bound: float | str
) -> None:
    threshold = parse_threshold(text)
    assert (threshold.metric, threshold.bound) == (metric, bound)


@pytest.mark.parametrize("sign", OPERATORS)
def test_each_comparison_compares(sign: str) -> None:
    threshold = parse_threshold(f"ok {sign} 5")
    for value in (4, 5, 6):
        assert threshold.holds(value) is eval(f"{value} {sign} 5")


@pytest.mark.parametrize("metric", known_metrics())
def test_every_known_metric_can_be_named(metric: str) -> None:
    is_time = metric.split(".", maxsplit=1)[0] in LATENCIES and not metric.endswith(".count")
    is_time = is_time or metric == "recovery.longest"
    bound = "1ms" if is_time else "1/s" if metric in RATES else "1"
    bound = "ok" if metric == "verdict" else bound
    assert parse_threshold(f"{metric} == {bound}").metric == metric


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_can_be_asked_for(verdict: str) -> None:
    assert parse_threshold(f"verdict == {verdict}").holds(verdict)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a condition"),
        ("failed", "is not a condition"),
        ("failed = 0", "is not a condition"),
        ("failed == zero", "is not a size"),
        ("faild == 0", "did you mean failed?"),
        ("connect.p99 < 5", "is not a time"),
        ("rate.ok > 5", "is not a rate"),
        ("verdict == wall", "is not a verdict"),
        ("verdict < ok", "only be compared with"),
        ("errors.somewhere == 1", "unknown metric"),
    ],
)
def test_what_cannot_be_compared_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_threshold(text)
