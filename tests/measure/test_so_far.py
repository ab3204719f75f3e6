"""A run under way is measured as far as it has come: what is not due is missed by nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simulator.measure.series import time_series
from simulator.measure.so_far import newest_ns, series_so_far, so_far, summarize_so_far
from simulator.measure.summary import summarize
from simulator.records import Call, Ending, Outcome
from tests.support.runs import MS, RunBuilder

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Run


def half_way(root: Path) -> Run:
    """A hundred connections of a second, seen after half of it: two late, one open, one failed."""
    made = RunBuilder().planned([10 * MS * row for row in range(100)]).started()
    for row in range(47):
        made.ok(row)
    made.failed(47, Call.RECV, Ending.EOF).outcome(48, Outcome.OPEN, sent_ns=480 * MS)
    return made.sample(500 * MS, {}).run(root)


def test_only_what_was_due_and_not_sent_is_missing(tmp_path: Path) -> None:
    run = half_way(tmp_path)
    attempts = summarize_so_far(run)["attempts"]
    assert attempts["planned"] == 100
    assert (attempts["ok"], attempts["failed"], attempts["open_at_end"]) == (47, 1, 1)
    # Rows 49 and 50 were due by 500 ms.
    assert attempts["not_sent"]["stopped"] == 49
    assert attempts["not_sent"]["generator"] == 2


def test_nobody_is_said_to_have_stopped_it(tmp_path: Path) -> None:
    run = half_way(tmp_path)
    codes = {one["code"] for one in summarize_so_far(run)["doubts"]}
    assert not codes & {"interrupted", "open-at-end"}
    whole = {one["code"] for one in summarize(so_far(run))["doubts"]}
    assert {"interrupted", "open-at-end"} <= whole


def test_rates_cover_the_part_that_ran(tmp_path: Path) -> None:
    rates = summarize_so_far(half_way(tmp_path))["rates_per_s"]
    assert rates["asked"] == 100
    assert rates["sent"] == 98


def test_the_run_itself_is_left_as_it_was(tmp_path: Path) -> None:
    run = half_way(tmp_path)
    before = np.array(run.connections["outcome"])
    so_far(run)
    assert np.array_equal(run.connections["outcome"], before)
    assert "stopping" not in {event.get("event") for event in run.events}


def test_turns_that_may_never_be_asked_for_are_no_gap(tmp_path: Path) -> None:
    run = half_way(tmp_path)
    after = np.full(100, -1, dtype="<i8")
    after[90:] = np.arange(10)
    waits = replace(run, plan={**run.plan, "after": after, "pause_ns": np.zeros(100, "<i8")})
    outcome = so_far(waits).connections["outcome"]
    assert (outcome[90:] == Outcome.NOT_SENT_NEEDLESS).all()
    assert (outcome[51:90] == Outcome.NOT_SENT_STOPPED).all()


def test_the_time_to_come_is_not_drawn(tmp_path: Path) -> None:
    run = half_way(tmp_path)
    assert newest_ns(run) == 500 * MS
    whole = time_series(run)
    part = series_so_far(whole, run)
    assert (len(whole.t_s), len(part.t_s)) == (10, 5)
    assert {len(values) for values in part.rates_per_s.values()} == {5}
    assert part.rates_per_s["sent"] == whole.rates_per_s["sent"][:5]


def test_a_run_that_told_nothing_yet_has_no_moment(tmp_path: Path) -> None:
    assert newest_ns(RunBuilder().planned([0]).run(tmp_path)) == 0
