"""A chart of every kind of thing that a chart may hold, and its SVG taken apart."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from simulator.report.charts.chart import (
    Axis,
    Band,
    Chart,
    Grid,
    Level,
    Line,
    Mark,
    Shade,
    Span,
)
from simulator.report.charts.svg import svg

SVG: Final = "{http://www.w3.org/2000/svg}"
X: Final = Axis(title="time", unit="s", low=0.0, high=4.0)
Y: Final = Axis(title="amount")


def lines_chart(name: str = "lines", text: str = "text") -> Chart:
    """Each form of line, a wall, two marks; all words are the given text."""
    x = (0.0, 1.0, 2.0, 3.0)
    lines = tuple(
        Line(name=f"{text} {form}", x=x, y=(1.0, 2.0, None, 4.0), colour="#0072b2", form=form)
        for form in ("line", "step", "points", "bars", "area")
    )
    marks = (Mark(at=1.0, text=text, colour="#d55e00"), Mark(at=9.0, text=text, colour="#d55e00"))
    return Chart(
        name=name,
        title=text,
        says=text,
        x=X,
        y=Y,
        lines=lines,
        levels=(Level(at=5.0, text=text), Level(at=2.5, text=text, is_wall=False)),
        marks=marks,
        bands=(Band(low=0.0, high=2.0, text=text), Band(low=2.0, high=5.0, text=text)),
    )


def lanes_chart(text: str = "text") -> Chart:
    """Two lanes, three leases."""
    spans = tuple(
        Span(lane=lane, start=start, end=start + 1.0, text=text, colour="#0072b2")
        for lane, start in ((0, 0.0), (0, 2.0), (1, 0.5))
    )
    axis = Axis(title="backend", unit="none", lanes=(text, "other"))
    return Chart(name="lanes", title=text, says=text, x=X, y=axis, spans=spans)


def grid_chart(text: str = "text") -> Chart:
    """Two rows of four cells: free, half, full, not known; then free."""
    cells = np.array([[0, 1, 2, 255], [0, 0, 0, 0]], dtype=np.uint8)
    full = np.array([[0, 40, 100, 0], [0, 0, 0, 0]], dtype=np.uint8)
    shades = (Shade(name=text, colours=("#aaddcc", "#009e73")),)
    grid = Grid(start=0.0, end=4.0, low=10.0, high=12.0, cells=cells, full=full, shades=shades)
    axis = Axis(title="port", unit="port", low=10.0, high=12.0)
    return Chart(name="grid", title=text, says=text, x=X, y=axis, grid=grid)


def parsed(chart: Chart) -> ET.Element:
    """The SVG of a chart as a tree; fails where it is not well-formed."""
    return ET.fromstring(svg(chart))
