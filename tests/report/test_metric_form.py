"""Numbers in the form of their metric."""

from __future__ import annotations

import pytest

from simulator.report.metric_form import form_of, interval_text, times


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("rate.ok", 1_922.4, "1,922/s"),
        ("connect.p99", 4_100_000, "4.1ms"),
        ("connect.count", 4_100_000, "4,100,000"),
        ("recovery.longest", 2_000_000_000, "2s"),
        ("recovery.never", 2, "2"),
        ("failed", 1_683, "1,683"),
        ("cpu.balancer_us_per_connection", 104.2, "104us"),
        ("memory.kernel_bytes_per_connection", 5_734, "5.6KiB"),
    ],
)
def test_a_value_is_written_in_the_unit_of_its_metric(metric: str, value: float, text: str) -> None:
    assert form_of(metric)(value) == text


def test_an_interval_is_its_two_ends_or_nothing() -> None:
    assert interval_text([0.5, 2], times) == "0.500..2.000"
    for none in (None, [1], "ab"):
        assert interval_text(none, times) == ""
