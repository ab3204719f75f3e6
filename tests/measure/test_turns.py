"""Rows that wait: due when the one before ended, counted once, and never taken for missing."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.measure.summary import summarize
from simulator.measure.turns import CLOSED_NOTE, due_ns, loop_table, retry_table
from simulator.records import Call, Outcome
from simulator.report.trust_box import measured_line, valid_line
from tests.support.runs import MS, RunBuilder, scenario

if TYPE_CHECKING:
    from pathlib import Path

RETRY = {"retry": {"attempts": 3, "backoff": "100ms"}}


def waiting(builder: RunBuilder, after: list[int], pause: int, attempt: list[int]) -> RunBuilder:
    builder.plan |= {
        "after": np.array(after, dtype="<i8"),
        "pause_ns": np.full(len(after), pause, dtype="<i8"),
        "attempt": np.array(attempt, dtype="|u1"),
    }
    return builder


@pytest.fixture
def retried(tmp_path: Path) -> RunBuilder:
    """Two connections: one recovers at the second try, one gives up; and one that never fails."""
    due = [0, 10 * MS, 20 * MS, 100 * MS, 110 * MS, 120 * MS, 200 * MS, 210 * MS, 220 * MS]
    builder = RunBuilder(scenario=scenario(clients=RETRY)).planned(due)
    waiting(builder, [-1, -1, -1, 0, 1, 2, 3, 4, 5], 100 * MS, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    builder.ok(0)
    builder.failed(1, Call.RECV, errno.ECONNRESET, after=30 * MS)
    builder.failed(2, Call.RECV, errno.ECONNRESET, after=5 * MS)
    builder.ok(4, lag=32 * MS)  # due at 10 + 30 + 100 ms
    builder.failed(5, Call.RECV, errno.ECONNRESET, after=MS)
    builder.failed(8, Call.RECV, errno.ECONNRESET, after=MS)
    for row in (3, 6, 7):
        builder.outcome(row, Outcome.NOT_SENT_NEEDLESS)
    return builder


def test_a_retry_is_due_when_its_pause_after_the_failure_is_over(
    retried: RunBuilder, tmp_path: Path
) -> None:
    run = retried.run(tmp_path)
    assert due_ns(run)[[0, 1, 2]].tolist() == [0, 10 * MS, 20 * MS]
    assert due_ns(run)[4] == (10 + 30 + 100) * MS
    assert due_ns(run)[[3, 6, 7]].tolist() == [-1, -1, -1]
    summary = summarize(run)
    assert summary["latency_ns"]["lag"]["max"] == pytest.approx(2 * MS, rel=0.01)


def test_retries_are_counted_and_what_was_not_needed_is_not_missed(
    retried: RunBuilder, tmp_path: Path
) -> None:
    run = retried.run(tmp_path)
    summary = summarize(run)
    assert retry_table(run) == summary["retries"]
    assert summary["retries"] == {
        "connections": 3,
        "attempts": 6,
        "retries": 3,
        "recovered": 1,
        "gave_up": 1,
    }
    attempts = summary["attempts"]
    assert attempts["not_sent"] == {"needless": 3}
    assert attempts["planned"] == attempts["sent"] + 3 == 9
    assert "generator-limited" not in {doubt["code"] for doubt in summary["doubts"]}
    assert summary["phases"][0]["asked"] == 6
    assert "sent 100.00% of the plan" in valid_line(summary | {"valid": True})


def test_an_open_loop_without_retries_has_neither(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0).run(tmp_path)
    assert retry_table(run) is None
    assert loop_table(run) == {"kind": "open", "users": 0}
    assert due_ns(run) is run.plan["due_ns"]
    assert "open loop" in measured_line(summarize(run))


def test_a_closed_loop_is_labelled_wherever_its_numbers_stand(tmp_path: Path) -> None:
    phase = {"name": "users", "for": "1s", "users": {"count": 7, "think": "100ms"}}
    builder = RunBuilder(scenario=scenario(traffic=[phase])).planned([0, 100 * MS])
    waiting(builder, [-1, 0], 100 * MS, [0, 0])
    run = builder.ok(0, close=400 * MS).ok(1, lag=401 * MS).run(tmp_path)
    summary = summarize(run)
    assert summary["loop"] == {"kind": "closed", "users": 7}
    assert "closed loop, 7 users" in measured_line(summary)
    assert CLOSED_NOTE in summary["notes"]
    # The second turn was due 100 ms after the first one's close, so it was 1 ms late, not 401.
    assert due_ns(run).tolist() == [0, 500 * MS]
    assert summary["latency_ns"]["lag"]["max"] == pytest.approx(MS, rel=0.01)
