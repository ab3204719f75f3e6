"""SVG charts: well-formed, all inside the frame, every word text, ends and names told apart."""

from __future__ import annotations

import re

import pytest

from simulator.report.charts.svg import svg, words
from tests.support.drawn import SVG, grid_chart, lanes_chart, lines_chart, parsed
from tests.support.pages import ESCAPES, HOSTILE

CHARTS = [lines_chart, lanes_chart, grid_chart]


@pytest.mark.parametrize("chart", CHARTS)
def test_a_drawing_says_what_it_is_to_those_who_do_not_see_it(chart: type) -> None:
    root = parsed(chart(text="gist"))
    assert root.attrib["role"] == "img"
    named = {one.attrib["id"]: one.text for one in root if "id" in one.attrib}
    for name in root.attrib["aria-labelledby"].split():
        assert named[name] == "gist"


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("text", [HOSTILE, ESCAPES, '" onload="alert(1)'])
def test_words_stay_words(chart: type, text: str) -> None:
    drawn = svg(chart(text=text))
    root = parsed(chart(text=text))
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        *("svg", "title", "desc", "rect", "path", "text", "g", "line", "polyline", "polygon"),
        *("clipPath", "image"),
    }
    for one in root.iter():
        assert not [name for name in one.attrib if name.startswith("on")]
    assert "<script" not in drawn
    assert not re.search("[\x00-\x08\x1b\x80-\x9f\u202e]", drawn)


def test_a_gap_is_not_drawn_across() -> None:
    root = parsed(lines_chart())
    polylines = [one.attrib["points"].split() for one in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in polylines] == [2, 3]  # a line, and a step with its corner


def test_what_stands_outside_the_axis_has_no_mark() -> None:
    dashes = [
        one
        for one in parsed(lines_chart()).iter(f"{SVG}path")
        if one.find(f"{SVG}title") is not None
    ]
    assert len(dashes) == 1


def test_part_of_a_page_takes_its_colours_from_there() -> None:
    alone, inside = svg(lines_chart()), svg(lines_chart(), alone=False)
    assert 'fill="#ffffff"' in alone
    assert "#ffffff" not in inside
    assert "xmlns" not in inside
    assert "currentColor" in inside


def test_lanes_and_cells_are_inside_the_frame() -> None:
    root = parsed(lanes_chart())
    bars = [one for one in root.iter(f"{SVG}rect") if "fill-opacity" in one.attrib]
    assert len(bars) == 3
    heights = [float(one.attrib["y"]) for one in bars]
    assert heights[0] == heights[1] < heights[2]
    (image,) = parsed(grid_chart()).iter(f"{SVG}image")
    assert image.attrib["href"].startswith("data:image/png;base64,")


def test_words_are_cut_and_escaped() -> None:
    assert words("<a>" * 200, 10) == "&lt;a&gt;&lt;a&gt;&lt;a&gt;…"
