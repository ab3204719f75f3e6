"""The three lines of trust."""

from __future__ import annotations

from simulator.report.trust_box import limits_line, measured_line, valid_line
from tests.support.summaries import summary


def test_holding_and_warm_up_are_told() -> None:
    traffic = [
        {"hold": {"connections": 16_384, "rate": "5000/s"}, "for": "4s", "warmup": True},
        {"arrivals": {"constant": {"from": "10/s", "to": "10/s"}}, "for": "1s"},
    ]
    line = measured_line({"scenario": {"traffic": traffic}})
    assert "hold 16384 opened at 5000/s for 4s, warm-up · constant 10/s for 1s" in line


def test_many_phases_are_counted() -> None:
    assert "2 more phases" in measured_line({"scenario": {"traffic": [{"for": "1s"}] * 5}})


def test_doubts_that_do_not_invalidate_leave_the_numbers() -> None:
    assert valid_line(summary()).startswith("sent 99.99% of the plan")
    assert valid_line({}) == "not enough was measured to say"


def test_the_highest_percentile_with_enough_samples_is_named() -> None:
    response = {"count": 120_014, "p50": 1, "p90": 1, "p99": 1, "p999": 1}
    assert "p99.9 (120,014 samples)" in limits_line({"latency_ns": {"response": response}})
    response["p999"] = response["p99"] = None  # type: ignore[assignment]
    assert "to p90 (" in limits_line({"latency_ns": {"response": response}})
