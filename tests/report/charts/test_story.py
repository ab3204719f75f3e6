"""What happened when: phases, walls, churn, losses, in time order and not without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.measure.summary import summarize
from simulator.report.charts.story import marks, tell
from tests.support.pages import busy, story
from tests.support.runs import MS, RunBuilder

if TYPE_CHECKING:
    from pathlib import Path


def test_marks_tell_phases_walls_and_moves(tmp_path: Path) -> None:
    found = [(round(mark.at, 1), mark.text) for mark in story(tmp_path).marks]
    assert (1.0, "phase storm") in found
    assert (1.0, "backend 0 left (crash)") in found
    assert (1.2, "backend 0 came back on port 40124") in found
    assert (1.9, "no port left, balancer-backend") in found
    assert found == sorted(found, key=lambda one: one[0])


def test_of_many_marks_the_strong_ones_stay(tmp_path: Path) -> None:
    made = RunBuilder().started()
    for at in range(500):
        made.event("backend-waits", at * MS, backend=at)
    made.event("role-lost", 400 * MS, role="backend")
    run = made.run(tmp_path)
    found = marks(run, {})
    assert len(found) == 200
    assert "backend lost" in {mark.text for mark in found}


def test_the_axis_of_time_spans_the_run(tmp_path: Path) -> None:
    run = busy().run(tmp_path)
    told = tell(run, summarize(run))
    assert told.time.low == 0.0
    assert told.time.high == told.end_s
    assert 2.0 <= told.end_s <= 2.2
