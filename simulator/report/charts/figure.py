"""A chart as a Plotly figure: plain ``data`` and ``layout`` for the script that a page carries.

Times are in seconds, so that the script's own prefixes suit. Texts are escaped, since that script
takes some tags for markup. Colours of ground, words and grid are left to the page's theme.

Source: the JSON chart schema of plotly.js 3 and 4.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from math import log10
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.report.charts.colours import GREY, WALL
from simulator.report.charts.scale import ends, ticks, x_values, y_values
from simulator.report.safe_text import safe
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.report.charts.chart import Axis, Chart, Grid, Line, Mark, Unit, Value

#: Format and suffix of values by unit.
_FORMS: Final[dict[str, tuple[str, str]]] = {
    "s": ("~r", "s"),
    "ns": ("~s", "s"),
    "count": (",~r", ""),
    "rate": (",~r", "/s"),
    "bytes": ("~s", "B"),
    "share": ("~%", ""),
    "port": ("d", ""),
    "none": ("~r", ""),
}
_UNKNOWN: Final = 255
_MOST_WORDS: Final = 4
_DASHES: Final = {"": "solid", "6 4": "dash", "2 3": "dot", "8 3 2 3": "dashdot"}


def figure(chart: Chart) -> dict[str, Any]:
    """``data`` and ``layout``, of JSON values only; ``shades`` names the cells of a grid.

    A grid's cells are base64 of bytes, as the script reads them, row by row from below.
    """
    data = [_trace(line, chart) for line in chart.lines]
    if chart.spans:
        data += _lanes(chart)
    if chart.grid is not None:
        data += _heat(chart.grid)
    if chart.marks:
        data.append(_events(chart))
    made: dict[str, Any] = {"data": data, "layout": _layout(chart)}
    if chart.grid is not None:
        made["shades"] = [words(shade.name) for shade in chart.grid.shades for _ in shade.colours]
    return made


def words(text: str, limit: int = 200) -> str:
    """Text from anywhere as text of a figure, with no tag that the script would follow."""
    return escape(safe(text, limit))


def _scaled(values: Iterable[Value], unit: Unit) -> list[Value]:
    if unit != "ns":
        return [None if one is None else round(one, 6) for one in values]
    return [None if one is None else one / NS_PER_S for one in values]


def _trace(line: Line, chart: Chart) -> dict[str, Any]:
    form, suffix = _FORMS[chart.y.unit]
    made: dict[str, Any] = {
        "type": "scatter",
        "name": words(line.name),
        "x": _scaled(line.x, chart.x.unit),
        "y": _scaled(line.y, chart.y.unit),
        "hovertemplate": f"%{{y:{form}}}{suffix}",
        "connectgaps": False,
    }
    if line.form == "bars":
        return made | {"type": "bar", "marker": {"color": line.colour}}
    if line.form == "points":
        return made | {"mode": "markers", "marker": {"color": line.colour, "size": 5}}
    look = {"color": line.colour, "width": 2, "dash": _DASHES.get(line.dash, "dash")}
    if line.form == "area":
        look["width"] = 0.5
        made |= {"stackgroup": "all", "fillcolor": line.colour + "cc"}
    if line.form == "step":
        look["shape"] = "hv"
    return made | {"mode": "lines" if len(line.x) > 1 else "markers", "line": look}


def _lanes(chart: Chart) -> list[dict[str, Any]]:
    """Spans as bars that lie: one trace for each colour."""
    found = []
    for colour in dict.fromkeys(span.colour for span in chart.spans):
        mine = [span for span in chart.spans if span.colour == colour]
        found.append(
            {
                "type": "bar",
                "orientation": "h",
                "base": _scaled((span.start for span in mine), chart.x.unit),
                "x": _scaled((span.end - span.start for span in mine), chart.x.unit),
                "y": [span.lane for span in mine],
                "text": [words(span.text) for span in mine],
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"color": colour, "opacity": 0.75},
                "showlegend": False,
                "width": 0.72,
            }
        )
    return found


def _bytes(values: np.ndarray[Any, np.dtype[np.uint8]]) -> dict[str, Any]:
    """An array in the script's own form."""
    rows, columns = values.shape
    text = b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
    return {"bdata": text, "dtype": "u1", "shape": f"{rows},{columns}"}


def _middles(start: float, end: float, count: int) -> list[float]:
    width = (end - start) / count
    return [round(start + width * (at + 0.5), 6) for at in range(count)]


def _heat(grid: Grid) -> list[dict[str, Any]]:
    colours = ["rgba(0,0,0,0)", *grid.palette, GREY]
    last = len(colours) - 1
    cells = np.where(grid.cells == _UNKNOWN, last, grid.cells).astype(np.uint8)
    steps: list[list[Any]] = []
    for place, colour in enumerate(colours):
        steps += [[place / (last + 1), colour], [(place + 1) / (last + 1), colour]]
    rows, columns = grid.cells.shape
    legend = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": words(shade.name),
            "x": [None],
            "y": [None],
            "marker": {"color": shade.colours[-1], "symbol": "square", "size": 11},
            "hoverinfo": "skip",
        }
        for shade in grid.shades
    ]
    heat = {
        "type": "heatmap",
        "x": _middles(grid.start, grid.end, columns),
        "y": _middles(grid.low, grid.high, rows),
        "z": _bytes(cells),
        "customdata": _bytes(grid.full),
        "zmin": -0.5,
        "zmax": last + 0.5,
        "colorscale": steps,
        "showscale": False,
        "hovertemplate": "%{x:.2f}s, ports about %{y:.0f}: %{text}<extra></extra>",
    }
    return [heat, *legend]


def _events(chart: Chart) -> dict[str, Any]:
    """Small triangles along the top that say what happened when they are pointed at."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "events",
        "showlegend": False,
        "x": _scaled((mark.at for mark in chart.marks), chart.x.unit),
        "y": [1.0] * len(chart.marks),
        "yaxis": "y2",
        "cliponaxis": False,
        "text": [words(mark.text) for mark in chart.marks],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": "triangle-down",
            "size": 9,
            "color": [mark.colour for mark in chart.marks],
        },
    }


def _layout(chart: Chart) -> dict[str, Any]:
    is_grid = chart.grid is not None or bool(chart.spans)
    made: dict[str, Any] = {
        "height": chart.height + 60,
        "margin": {"l": 76, "r": 18, "t": 34, "b": 48},
        "xaxis": _axis(chart.x, x_values(chart)),
        "yaxis": _axis(chart.y, y_values(chart)),
        "hovermode": "closest" if is_grid or chart.x.log else "x unified",
        "showlegend": len(chart.lines) > 1 or chart.grid is not None,
        "legend": {"orientation": "h", "y": -0.22, "yanchor": "top"},
        "shapes": [*_level_shapes(chart), *_mark_shapes(chart)],
        "annotations": [*_level_words(chart), *_mark_words(chart), *_band_words(chart)],
    }
    if chart.spans or any(line.form == "bars" for line in chart.lines):
        made["barmode"] = "overlay"
    if chart.marks:
        made["yaxis2"] = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    return made


def _axis(axis: Axis, values: Sequence[float]) -> dict[str, Any]:
    low, high = ends(axis, values)
    form, suffix = _FORMS[axis.unit]
    made: dict[str, Any] = {
        "title": {"text": words(axis.title)},
        "tickformat": form,
        "ticksuffix": suffix,
        "zeroline": False,
        "automargin": True,
    }
    scale = 1 / NS_PER_S if axis.unit == "ns" else 1.0
    if axis.lanes:
        made |= {"tickvals": list(range(len(axis.lanes))), "tickformat": "", "ticksuffix": ""}
        made["ticktext"] = [words(name, 40) for name in axis.lanes]
    elif axis.ticks or axis.log:  # the script's own on a log axis leave units out
        shown = ticks(axis, low, high)
        made |= {"tickvals": [value * scale for value, _ in shown]}
        made["ticktext"] = [words(text, 40) for _, text in shown]
    if axis.log:
        made |= {"type": "log", "range": [log10(low * scale), log10(high * scale)]}
    else:
        made["range"] = [low * scale, high * scale]
    return made


def _y(chart: Chart, value: float) -> float:
    """A place on the y axis, in the script's terms: shapes and words take logs on a log axis."""
    here = value / NS_PER_S if chart.y.unit == "ns" else value
    return here if not chart.y.log else log10(max(here, 1e-12))


def _x(chart: Chart, value: float) -> float:
    return log10(max(value, 1e-12)) if chart.x.log else value


def _level_shapes(chart: Chart) -> list[dict[str, Any]]:
    return [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            # A shape takes the value itself, also on a log axis.
            "y0": level.at / (NS_PER_S if chart.y.unit == "ns" else 1),
            "y1": level.at / (NS_PER_S if chart.y.unit == "ns" else 1),
            "line": {
                "color": WALL if level.is_wall else GREY,
                "width": 2,
                "dash": "solid" if level.is_wall else "dot",
            },
        }
        for level in chart.levels
    ]


def _level_words(chart: Chart) -> list[dict[str, Any]]:
    return [
        {
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "y": _y(chart, level.at),
            "yanchor": "bottom",
            "text": f"<b>{words(level.text)}</b>",
            "showarrow": False,
            "font": {"color": WALL if level.is_wall else GREY},
        }
        for level in chart.levels
    ]


def _mark_shapes(chart: Chart) -> list[dict[str, Any]]:
    return [
        {
            "type": "line",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": mark.at,
            "x1": mark.at,
            "line": {"color": mark.colour, "width": 1, "dash": "dash"},
        }
        for mark in chart.marks
    ]


def _mark_words(chart: Chart) -> list[dict[str, Any]]:
    """Words of strong marks, as far as they do not stand on each other."""
    low, high = ends(chart.x, x_values(chart))
    room = (_x(chart, high) - _x(chart, low)) / _MOST_WORDS
    shown: list[Mark] = []
    for mark in sorted(chart.marks, key=lambda one: one.at):
        near = shown and _x(chart, mark.at) - _x(chart, shown[-1].at) < room
        if mark.is_strong and not near:
            shown.append(mark)
    return [
        {
            "x": _x(chart, mark.at),
            "xanchor": "left" if _x(chart, mark.at) < _x(chart, high) - room else "right",
            "yref": "paper",
            "y": 1.0,
            "yanchor": "bottom",
            "yshift": 6,
            "text": words(mark.text, 40),
            "showarrow": False,
            "font": {"size": 11},
        }
        for mark in shown
    ]


def _band_words(chart: Chart) -> list[dict[str, Any]]:
    return [
        {
            "xref": "paper",
            "x": 1,
            "xanchor": "right",
            "y": (band.low + band.high) / 2,
            "text": words(band.text),
            "showarrow": False,
            "font": {"size": 10, "color": "#222222"},
            "bgcolor": "rgba(255,255,255,0.75)",
        }
        for band in chart.bands
    ]
