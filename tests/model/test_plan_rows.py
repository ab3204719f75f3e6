"""When a connection's next request is due, or its end, as the plan has it."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.model.plan_rows import PlanRows
from simulator.traffic.plan import make_plan
from tests.support.runs import scenario
from tests.support.scenarios import small

MS = 1_000_000


def rows(*changes: str) -> PlanRows:
    asked = small(*changes)
    return PlanRows(asked, make_plan(asked).files)


def test_requests_are_spread_over_a_lifetime_and_the_end_is_at_its_end() -> None:
    plan = rows("traffic.only.requests=4", "traffic.only.lifetime=100ms")
    sent = 7 * MS
    assert [plan.next_ns(0, begun, sent, sent) - sent for begun in (1, 2, 3, 4)] == [
        25 * MS,
        50 * MS,
        75 * MS,
        100 * MS,
    ]
    assert plan.next_ns(0, 1, sent + 60 * MS, sent) == sent + 60 * MS, "late is at once"


def test_thinking_comes_before_each_request_and_idling_after_the_last() -> None:
    asked = small("traffic.only.requests=2", "traffic.only.think=5ms", "clients.idle_timeout=30ms")
    files = make_plan(asked).files
    plan = PlanRows(asked, files)
    assert plan.next_ns(0, 1, 10 * MS, 0) == 15 * MS
    assert plan.next_ns(0, 2, 20 * MS, 0) == 20 * MS + files["linger_ns"][0]


def test_all_of_a_hold_end_together() -> None:
    hold = {"name": "only", "for": "1s", "hold": {"connections": 10, "rate": "100/s"}}
    asked = scenario(traffic=[hold])
    plan = PlanRows(asked, make_plan(asked).files)
    ends = {plan.next_ns(row, plan.requests[row], row * MS, row * MS) for row in range(10)}
    assert len(ends) == 1


@pytest.mark.parametrize(("size", "chunks"), [("1B", 0), ("64B", 0), ("65B", 1), ("2KiB", 31)])
def test_chunks_after_the_first(size: str, chunks: int) -> None:
    given = f"traffic.only.response_size={size}"
    assert rows("backends.stream={chunk: 64B}", given).chunks(0) == chunks
    assert rows(given).chunks(0) == 0


def test_service_times_are_those_of_the_plan() -> None:
    asked = small("traffic.only.requests=3", "backends.service_time={exponential: 5ms}")
    files = make_plan(asked).files
    plan = PlanRows(asked, files)
    found = [plan.service_ns(row, begun) for row in range(10) for begun in (1, 2, 3)]
    assert np.array_equal(found, files["service_ns"])
