"""The three lines of trust."""

from __future__ import annotations

from simulator.report.trust_box import limits_line, measured_line, valid_line
from tests.support.summaries import summary


def test_many_phases_are_counted() -> None:
    phases = [{"name": f"p{n}", "start_s": n, "end_s": n + 1} for n in range(5)]
    line = measured_line({"phases": phases})
    assert line == "open loop · p0 1s · p1 1s · p2 1s · 2 more phases"


def test_the_kernels_own_time_wait_is_told_as_such() -> None:
    settings = {"net.ipv4.tcp_tw_reuse": "0", "net.ipv4.tcp_tw_reuse_delay": "1000"}
    assert "TIME_WAIT 60s (tw_reuse 0)" in limits_line({"sysctls": settings})


def test_doubts_that_do_not_invalidate_leave_the_numbers() -> None:
    assert valid_line(summary()).startswith("sent 99.99% of the plan")
    assert valid_line({}) == "not enough was measured to say"


def test_the_highest_percentile_with_enough_samples_is_named() -> None:
    response = {"count": 120_014, "p50": 1, "p90": 1, "p99": 1, "p999": 1}
    assert "p99.9 (120,014 samples)" in limits_line({"latency_ns": {"response": response}})
    response["p999"] = response["p99"] = None  # type: ignore[assignment]
    assert "to p90 (" in limits_line({"latency_ns": {"response": response}})
