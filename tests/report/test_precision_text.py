"""The lines on precision: intervals as they are stored, and nothing made up."""

from __future__ import annotations

from typing import Any

from simulator.report.precision_text import precision_lines


def told(**failed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    response = {"p50": [400_000, 410_000], "p99": [4_000_000, 5_000_000], "p999": None}
    return {
        "attempts": {"sent": 3000},
        "precision": {"latency_ns": {"response": response}, "failed": failed},
    }


def test_percentiles_that_have_an_interval_are_named() -> None:
    lines = precision_lines(told(share=0.5, interval=[0.482, 0.518], at_most=None))
    assert lines == ["response  p50 400us..410us, p99 4ms..5ms", "failed    48.2 % to 51.8 %"]


def test_none_failed_is_not_never() -> None:
    lines = precision_lines(told(share=0.0, interval=[0.0, 0.0013], at_most=0.001))
    assert lines[1] == "failed    0 of 3,000, so at most 0.1 %"


def test_older_and_broken_summaries_have_no_line() -> None:
    assert precision_lines({}) == []
    broken = {"precision": {"latency_ns": {"response": {"p50": "x", "p90": [1], "p99": ["a", 2]}}}}
    assert precision_lines(broken) == []
