"""Peers side by side: a bar for each that was there, a name for each that was not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.report.charts.peers import peer_charts
from simulator.report.charts.svg import svg
from simulator.store.read_bench import read_bench
from tests.support.benched import ladder, peers

if TYPE_CHECKING:
    from pathlib import Path


def test_medians_are_bars_and_rounds_a_line_from_the_lowest_to_the_highest(tmp_path: Path) -> None:
    [chart] = peer_charts(read_bench(peers(tmp_path)).rows)
    bars, reach = chart.lines
    assert (bars.form, bars.y) == ("bars", (22_000, 40_000, None))
    assert reach.y == (20_000, 24_000, None, 40_000, 44_000, None)
    assert [text for _, text in chart.x.ticks] == [
        "own 0.1.0",
        "haproxy 2.6.12",
        "nginx: not installed",
    ]
    assert chart.says == (
        "Medians of 3 rounds of relay-close: own 0.1.0 22us (0.50 of haproxy's), "
        "haproxy 2.6.12 40us."
    )
    assert svg(chart)


def test_metrics_of_a_single_subject_stand_beside_each_other_by_unit(tmp_path: Path) -> None:
    rows = [row for row in read_bench(peers(tmp_path)).rows if row.subject == "own"]
    more = [replace(rows[0], metric="cpu-user"), replace(rows[0], metric="held", unit="sockets")]
    [chart] = peer_charts([*rows, *more])
    assert chart.name == "peers-relay-close-us-connection"
    assert [text for _, text in chart.x.ticks] == ["cpu", "cpu-user"]


def test_a_row_for_each_ratio_is_one_bar_and_steps_are_none(tmp_path: Path) -> None:
    rows = read_bench(peers(tmp_path)).rows
    [chart] = peer_charts([*rows, *rows])
    assert len(chart.x.ticks) == 3
    assert list(peer_charts(read_bench(ladder(tmp_path)).rows)) == []
