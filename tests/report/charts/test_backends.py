"""Backends: picks as bars or by rank, leases as a timeline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.measure.summary import summarize
from simulator.report.charts.backends import leases, picks
from simulator.report.charts.story import tell
from tests.support.pages import story
from tests.support.runs import MS, RunBuilder

if TYPE_CHECKING:
    from pathlib import Path


def test_few_backends_are_bars_and_many_a_rank(tmp_path: Path) -> None:
    told = story(tmp_path)
    few = picks(replace(told, summary={"backends": {"picks": {"0": 7, "1": 9}}}))
    assert few is not None
    assert (few.lines[0].form, few.lines[0].y) == ("bars", (7.0, 9.0))
    many = {"picks": {str(at): at for at in range(300)}}
    chart = picks(replace(told, summary={"backends": many}))
    assert chart is not None
    assert chart.lines[0].form == "step"
    assert chart.lines[0].y[:2] == (299.0, 298.0)
    assert picks(replace(told, summary={"backends": {"picks": {"0": 7}}})) is None


def test_each_lease_is_a_bar_in_the_lane_of_its_backend(tmp_path: Path) -> None:
    chart = leases(story(tmp_path))
    assert chart is not None
    assert chart.y.lanes == ("0", "1")
    bars = [(span.lane, span.start, round(span.end, 1)) for span in chart.spans]
    assert sorted(bars) == [(0, 0.0, 1.0), (0, 1.2, 2.0), (1, 0.0, 2.0)]
    assert "2 backends held 3 ports in 3 leases" in chart.says


def test_of_many_backends_those_that_moved_are_shown(tmp_path: Path) -> None:
    made = RunBuilder().started()
    for backend in range(100):
        made.lease(backend, 30_000 + backend, to_ns=500 * MS if backend == 99 else None)
    made.lease(99, 40_000, from_ns=600 * MS)
    run = made.run(tmp_path)
    chart = leases(tell(run, summarize(run)))
    assert chart is not None
    assert len(chart.y.lanes) == 64
    assert "99" in chart.y.lanes
    assert "36 backends that moved less are not shown" in chart.says


def test_no_lease_no_timeline(tmp_path: Path) -> None:
    run = RunBuilder().run(tmp_path)
    assert leases(tell(run, summarize(run))) is None
