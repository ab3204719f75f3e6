"""What the balancer did for its backends, in lines."""

from __future__ import annotations

import pytest

from simulator.report.care_text import care_lines


def test_each_kind_of_care_has_its_line() -> None:
    care = {
        "checks": 1600, "checks_failed": 3, "ejections": 2, "out_peak": 1, "panics": 1,
        "queued": 40, "waiting_peak": 9, "queue_timeouts": 4, "queue_full": 5,
        "retries_denied": 6,
    }  # fmt: skip
    assert care_lines({"care": care}) == [
        "health checks      1,600 connects, a tuple each; 3 found no backend",
        (
            "left out           at most 1 backends at once; 2 ejections; "
            "1 times too few were fit, and all were picked"
        ),
        "waited in a queue  40, at most 9 at once; 4 in vain; 5 found it full",
        "retries denied     6 by the budget",
    ]


@pytest.mark.parametrize("care", [None, {}, "much", {"checks": "many"}, {"checks": 0}])
def test_nothing_done_is_nothing_said(care: object) -> None:
    assert care_lines({"care": care}) == []
