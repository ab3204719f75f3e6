"""Cost against work: points where they were measured, and the law of least squares through them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.report.charts.ladder import beside_ladders, in_words, ladder_charts, ladders, short
from simulator.report.charts.svg import svg
from simulator.store.read_bench import read_bench
from tests.support.benched import WORK, ladder, peers

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.report.charts.ladder import Ladder


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Ladder]:
    return {one.name: one for one in ladders(read_bench(ladder(tmp_path)).rows)}


def test_steps_become_ladders_and_those_with_an_exponent_costs(found: dict[str, Ladder]) -> None:
    assert set(found) == {"cpu", "sample", "connect-p99", "rate"}
    assert found["sample"].work == WORK
    assert found["sample"].values == (10, 100, 1_000)
    assert [name for name, one in found.items() if one.is_cost] == ["cpu", "sample"]


def test_a_bench_without_work_has_no_ladder_whatever_its_metrics_are_called(
    tmp_path: Path,
) -> None:
    rows = read_bench(peers(tmp_path)).rows
    assert ladders(rows) == []
    assert beside_ladders(rows) == list(rows)
    steps = read_bench(ladder(tmp_path)).rows
    assert [row.metric for row in beside_ladders(steps)] == ["errors"]


def test_the_law_is_told_and_what_has_none_from_where_to_where(found: dict[str, Ladder]) -> None:
    assert in_words(found["sample"]) == "sample (us) grows linearly with sockets (exponent 1.00)"
    assert in_words(found["cpu"]).startswith("cpu (us) stays constant while sockets grow")
    assert in_words(found["connect-p99"]) == "connect-p99 went from 40us to 360us"


def test_costs_are_points_with_a_dashed_law_and_each_kind_of_unit_has_a_chart(
    found: dict[str, Ladder],
) -> None:
    charts = {chart.name: chart for chart in ladder_charts(list(found.values()))}
    assert list(charts) == ["growth-sockets-ns", "growth-sockets-rate"]
    times = charts["growth-sockets-ns"]
    lines = {line.name: line for line in times.lines}
    assert lines["sample"].form == "points"
    assert lines["sample"].y == (10_000, 100_000, 1_000_000)  # ns
    law = lines["sample: work^1.00"]
    assert law.dash
    assert law.y == pytest.approx((10_000, 1_000_000))
    assert lines["connect-p99"].form == "line"
    assert (times.y.low, times.y.high) == (10_000, 1_000_000)
    assert [text for _, text in times.x.ticks] == ["1,000", "10k", "100k"]
    assert svg(times)


def test_the_law_drawn_is_numpys_line_between_logarithms(found: dict[str, Ladder]) -> None:
    bent = found["connect-p99"]
    [chart] = ladder_charts([replace(bent, is_cost=True)])
    [law] = [line for line in chart.lines if line.dash]
    slope, shift = np.polyfit(np.log(bent.work), np.log(np.array(bent.values) * 1e3), 1)
    assert law.name == f"connect-p99: work^{slope:.2f}"
    assert law.y == pytest.approx(tuple(np.exp(shift) * np.array(law.x) ** slope))


def test_work_is_written_shortly() -> None:
    told = [short(work) for work in (1, 4_096, 16_384, 500_000, 1_000_000)]
    assert told == ["1", "4,096", "16.384k", "500k", "1M"]
