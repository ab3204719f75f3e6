"""The lines on recovery: one for each kind of churn, with what is not known said so."""

from __future__ import annotations

from typing import Any

from simulator.report.recovery_text import recovery_lines


def one(recovery_s: float | None, how: str = "crash", before: float | None = 1.0) -> dict[str, Any]:
    return {"event": "backend-left", "how": how, "ok_before": before, "recovery_s": recovery_s}


def test_each_kind_has_its_median_and_its_worst() -> None:
    found = [one(0.1), one(0.3), one(0.9), one(0.0, "drain")]
    assert recovery_lines({"recoveries": found}) == [
        (
            "backend-left (crash)     3 times; back to 95 % of before after 300ms in the median, "
            "900ms at most"
        ),
        (
            "backend-left (drain)     1 times; back to 95 % of before after 0ns in the median, "
            "0ns at most"
        ),
    ]


def test_what_never_came_back_or_was_too_early_is_no_time() -> None:
    (line,) = recovery_lines({"recoveries": [one(None), one(None, before=None)]})
    assert line == "backend-left (crash)     2 times; 1 never; 1 too early to tell"


def test_no_churn_no_line() -> None:
    assert recovery_lines({}) == []
    assert recovery_lines({"recoveries": "nothing"}) == []
