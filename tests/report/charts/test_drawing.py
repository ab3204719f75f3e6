"""Heaps of areas stand on each other; a gap in one is a gap in all above it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from simulator.report.charts.chart import Line, Span
from simulator.report.charts.drawing import draw_line, draw_span, stack
from simulator.report.charts.scale import Scale

X = Scale(low=0.0, high=10.0, start=0.0, end=100.0, log=False)
Y = Scale(low=0.0, high=10.0, start=100.0, end=0.0, log=False)


def area(*y: float | None) -> Line:
    return Line(name="a", x=tuple(map(float, range(len(y)))), y=y, colour="#000000", form="area")


def test_areas_stand_on_each_other() -> None:
    assert stack([area(1.0, 2.0, None), area(3.0, 4.0, 5.0)]) == [
        ((0.0, 0.0, 0.0), (1.0, 2.0, None)),
        ((1.0, 2.0, None), (4.0, 6.0, None)),
    ]
    assert stack([]) == []


def test_bars_stand_at_zero_and_are_as_high_as_their_value() -> None:
    line = Line(name="b", x=(1.0, 3.0), y=(4.0, 0.0), colour="#000000", form="bars")
    (bar,) = (ET.fromstring(one) for one in draw_line(line, X, Y, line.y))
    assert float(bar.attrib["y"]) + float(bar.attrib["height"]) == 100.0
    assert float(bar.attrib["height"]) == 40.0


def test_a_single_point_is_a_dot() -> None:
    line = Line(name="d", x=(1.0,), y=(4.0,), colour="#000000")
    (dot,) = (ET.fromstring(one) for one in draw_line(line, X, Y, line.y))
    assert dot.tag == "path"


def test_a_span_that_is_very_short_can_still_be_seen() -> None:
    span = Span(lane=1, start=2.0, end=2.0, text="x", colour="#000000")
    bar = ET.fromstring(draw_span(span, X, Y, "x"))
    assert float(bar.attrib["width"]) == 1.0
