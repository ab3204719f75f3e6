"""Figures for the page's script: plain JSON, words escaped, times in seconds, cells readable."""

from __future__ import annotations

import json
from base64 import b64decode

import numpy as np
import pytest

from simulator.report.charts.chart import Axis, Chart, Level, Line
from simulator.report.charts.figure import figure
from tests.support.drawn import grid_chart, lanes_chart, lines_chart
from tests.support.pages import HOSTILE


@pytest.mark.parametrize("chart", [lines_chart, lanes_chart, grid_chart])
def test_figures_are_json_whose_words_hold_no_markup(chart: type) -> None:
    text = json.dumps(figure(chart(text=HOSTILE)), allow_nan=False)
    assert "<script" not in text
    assert "<img" not in text


def test_each_form_of_line_has_its_trace() -> None:
    made = figure(lines_chart())
    kinds = [(one["type"], one.get("mode")) for one in made["data"][:5]]
    assert kinds == [
        ("scatter", "lines"),
        ("scatter", "lines"),
        ("scatter", "markers"),
        ("bar", None),
        ("scatter", "lines"),
    ]
    assert made["data"][4]["stackgroup"]
    assert made["data"][0]["y"] == [1.0, 2.0, None, 4.0]
    assert made["data"][-1]["yaxis"] == "y2"  # what happened, to be pointed at
    walls = [one for one in made["layout"]["shapes"] if one.get("xref") == "paper"]
    assert [one["y0"] for one in walls] == [5.0, 2.5]


def test_times_are_seconds_and_levels_on_log_axes_stand_right() -> None:
    line = Line(name="p50", x=(0.1,), y=(2_000_000.0,), colour="#000000")
    chart = Chart(
        name="c",
        title="t",
        says="s",
        x=Axis(title="x", unit="share"),
        y=Axis(title="y", unit="ns", log=True),
        lines=(line,),
        levels=(Level(at=1_000_000.0, text="l"),),
    )
    made = figure(chart)
    assert made["data"][0]["y"] == [0.002]
    assert made["layout"]["yaxis"]["range"] == pytest.approx([-3.0, -2.0])
    assert made["layout"]["yaxis"]["ticktext"] == ["1ms", "2ms", "5ms", "10ms"]
    assert made["layout"]["shapes"][0]["y0"] == 0.001
    assert made["layout"]["annotations"][0]["y"] == pytest.approx(-3.0)


def test_cells_of_a_grid_can_be_read_back() -> None:
    made = figure(grid_chart())
    heat = made["data"][0]
    rows, columns = map(int, heat["z"]["shape"].split(","))
    cells = np.frombuffer(b64decode(heat["z"]["bdata"]), dtype=np.uint8).reshape(rows, columns)
    assert cells.tolist() == [[0, 1, 2, 3], [0, 0, 0, 0]]  # not known is one more than the shades
    assert made["shades"] == ["text", "text"]
    assert heat["x"] == [0.5, 1.5, 2.5, 3.5]
    assert heat["y"] == [10.5, 11.5]
    assert heat["zmax"] == 3.5
    assert len(heat["colorscale"]) == 2 * 4


def test_lanes_are_bars_from_start_to_end() -> None:
    made = figure(lanes_chart())
    assert made["data"][0]["base"] == [0.0, 2.0, 0.5]
    assert made["data"][0]["x"] == [1.0, 1.0, 1.0]
    assert made["layout"]["yaxis"]["range"] == [1.5, -0.5]
