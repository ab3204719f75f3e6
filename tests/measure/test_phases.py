"""Windows and rates: warm-ups stay out, early stops cut, every moment belongs to one phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.measure.phases import (
    measured,
    measured_rows,
    peak_asked_per_s,
    phase_table,
    rates_per_s,
    spans,
)
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

RATE = {"constant": "100/s"}
TRAFFIC = [
    {"name": "warm", "for": "1s", "warmup": True, "arrivals": RATE},
    {"name": "work", "for": "2s", "arrivals": RATE},
]


def half_and_half() -> RunBuilder:
    """30 connections over 3 s, each tenth of a second; those of odd index fail."""
    due = [i * 100 * MS for i in range(30)]
    phase = [0] * 10 + [1] * 20
    run = RunBuilder(scenario=scenario(traffic=TRAFFIC)).planned(due, phase=phase)
    for row in range(30):
        if row % 2:
            run.failed(row, Call.RECV, Ending.EOF)
        else:
            run.ok(row)
    return run


def test_rates_count_the_measured_phases_only(tmp_path: Path) -> None:
    run = half_and_half().run(tmp_path)
    assert rates_per_s(run) == {"asked": 10.0, "sent": 10.0, "ok": 5.0}
    assert [span.name for span in measured(spans(run))] == ["work"]
    assert measured_rows(run).tolist() == [False] * 10 + [True] * 20


def test_the_phase_table_adds_up_to_the_run(tmp_path: Path) -> None:
    table = phase_table(half_and_half().run(tmp_path))
    assert [(row["name"], row["start_s"], row["end_s"]) for row in table] == [
        ("warm", 0.0, 1.0),
        ("work", 1.0, 3.0),
    ]
    assert [row["sent"] for row in table] == [10, 20]
    assert [row["ok"] for row in table] == [5, 10]
    assert [row["failed"] for row in table] == [5, 10]


def test_an_early_stop_cuts_the_window_and_not_the_rate(tmp_path: Path) -> None:
    run = half_and_half().event("stopping", 2 * S, level=1).run(tmp_path)
    assert spans(run)[1].end_ns == 2 * S
    assert rates_per_s(run)["sent"] == pytest.approx(10.0)


def test_a_stop_before_a_phase_leaves_it_empty(tmp_path: Path) -> None:
    run = half_and_half().event("stopping", S // 2).run(tmp_path)
    assert rates_per_s(run) == {"asked": 0.0, "sent": 0.0, "ok": 0.0}
    assert phase_table(run)[1]["end_s"] == 1.0


def test_a_run_of_warm_ups_alone_is_measured_whole(tmp_path: Path) -> None:
    traffic = [{"name": "warm", "for": "1s", "warmup": True, "arrivals": RATE}]
    run = RunBuilder(scenario=scenario(traffic=traffic)).planned([0]).ok(0).run(tmp_path)
    assert rates_per_s(run)["ok"] == 1.0


def test_late_connections_count_where_they_were_sent(tmp_path: Path) -> None:
    run = half_and_half().ok(28, lag=5 * S).run(tmp_path)
    assert rates_per_s(run) == {"asked": 10.0, "sent": 9.5, "ok": 4.5}


def test_the_peak_is_the_fullest_second(tmp_path: Path) -> None:
    run = half_and_half()
    run.planned([S, *[2 * S + i for i in range(7)]], phase=1)
    run.rows.clear()
    assert peak_asked_per_s(run.run(tmp_path)) == 7.0
