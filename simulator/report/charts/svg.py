"""A chart as SVG, written by hand: readable without a script, in print, and in any colour theme.

Words and lines of the frame take the colour of the text around them, so that a page's dark theme
and a printer's paper both suit. A picture that stands alone brings its own white ground.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from simulator.report.charts.colours import WALL
from simulator.report.charts.drawing import draw_line, draw_span, stack
from simulator.report.charts.raster import data_address
from simulator.report.charts.scale import Scale, ends, ticks, x_values, y_values
from simulator.report.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.report.charts.chart import Chart, Value

WIDTH: Final = 860
_LEFT, _RIGHT, _BOTTOM = 82, 196, 48
_TOP, _TOP_WITH_TITLE = 22, 50
_LABEL_PX: Final = 16
_LONGEST_LABEL: Final = 31
#: Width of a letter at the size of marks, roughly.
_LETTER_PX: Final = 6.2


class _Frame:
    """Where one chart's values are on the drawing."""

    def __init__(self, chart: Chart, *, alone: bool) -> None:
        self.chart = chart
        self.top = _TOP_WITH_TITLE if alone else _TOP
        self.height = chart.height + self.top - _TOP
        self.low = float(self.height - _BOTTOM)
        self.right = float(WIDTH - _RIGHT)
        x0, x1 = ends(chart.x, x_values(chart))
        y0, y1 = ends(chart.y, y_values(chart))
        self.x = Scale(low=x0, high=x1, start=_LEFT, end=self.right, log=chart.x.log)
        self.y = Scale(low=y0, high=y1, start=self.low, end=self.top, log=chart.y.log)


def svg(chart: Chart, *, alone: bool = True) -> str:
    """The drawing as text.

    Args:
        chart: what to draw.
        alone: a file of its own, with its title and a white ground; else part of a page.
    """
    frame = _Frame(chart, alone=alone)
    lines = [
        *_head(frame, alone=alone),
        *_bands(frame),
        *_grid(frame),
        *_axes(frame),
        f'<g clip-path="url(#{chart.name}-clip)">',
        *_inside(frame),
        "</g>",
        *_levels(frame),
        *_marks(frame),
        *_legend(frame),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def words(text: str, limit: int = 300) -> str:
    """Text from anywhere as text of a drawing: on one line, nothing in it a tag or a control."""
    return escape(safe(text, limit))


def _head(frame: _Frame, *, alone: bool) -> Iterator[str]:
    chart = frame.chart
    space = ' xmlns="http://www.w3.org/2000/svg" color="#222222"' if alone else ""
    yield (
        f'<svg{space} viewBox="0 0 {WIDTH} {frame.height}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-labelledby="{chart.name}-t {chart.name}-d">'
    )
    yield f'<title id="{chart.name}-t">{words(chart.title)}</title>'
    yield f'<desc id="{chart.name}-d">{words(chart.says, 1000)}</desc>'
    yield (
        f'<clipPath id="{chart.name}-clip"><rect x="{_LEFT}" y="{frame.top - 2}" '
        f'width="{frame.right - _LEFT:.0f}" height="{frame.low - frame.top + 3:.0f}"/></clipPath>'
    )
    if alone:
        yield f'<rect width="{WIDTH}" height="{frame.height}" fill="#ffffff"/>'
        yield _text(_LEFT, 24, chart.title, extra=' font-size="15"')


def _rule(x1: float, y1: float, x2: float, y2: float, opacity: float = 0.15) -> str:
    return (
        f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor" '
        f'stroke-opacity="{opacity}" fill="none"/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", extra: str = "") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{extra}>'
        f"{words(text)}</text>"
    )


def _axes(frame: _Frame) -> Iterator[str]:
    chart, x, y = frame.chart, frame.x, frame.y
    for value, text in ticks(chart.x, x.low, x.high):
        yield _rule(x.at(value), frame.low, x.at(value), frame.top)
        yield _text(x.at(value), frame.low + 17, text, "middle")
    for value, text in ticks(chart.y, y.low, y.high):
        yield _rule(_LEFT, y.at(value), frame.right, y.at(value))
        yield _text(_LEFT - 7, y.at(value) + 4, safe(text, 13), "end")
    yield _rule(_LEFT, frame.low, frame.right, frame.low, 0.6)
    yield _text((_LEFT + frame.right) / 2, frame.low + 37, chart.x.title, "middle")
    middle = (frame.low + frame.top) / 2
    turned = f' transform="rotate(-90 14 {middle:.1f})"'
    yield _text(14, middle, chart.y.title, "middle", turned)


def _bands(frame: _Frame) -> Iterator[str]:
    """Regions with a name, every other one on a slightly darker ground."""
    for place, band in enumerate(frame.chart.bands):
        top, low = (
            min(max(frame.y.at(value), frame.top), frame.low) for value in (band.high, band.low)
        )
        if place % 2:
            yield (
                f'<rect x="{_LEFT}" y="{top:.1f}" width="{frame.right - _LEFT:.1f}" '
                f'height="{low - top:.1f}" fill="currentColor" fill-opacity="0.05"/>'
            )
        if low - top > 10:
            yield _text(frame.right + 6, (top + low) / 2 + 4, band.text, extra=' font-size="11"')


def _grid(frame: _Frame) -> Iterator[str]:
    grid = frame.chart.grid
    if grid is None:
        return
    left, right = frame.x.at(grid.start), frame.x.at(grid.end)
    top, low = frame.y.at(grid.high), frame.y.at(grid.low)
    yield (
        f'<image x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{low - top:.1f}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="{data_address(grid)}"/>'
    )


def _inside(frame: _Frame) -> Iterator[str]:
    chart = frame.chart
    for span in chart.spans:
        yield draw_span(span, frame.x, frame.y, words(span.text))
    areas = [line for line in chart.lines if line.form == "area"]
    for line, (base, top) in zip(areas, stack(areas), strict=True):
        yield from draw_line(line, frame.x, frame.y, top, base)
    for line in chart.lines:
        if line.form != "area":
            yield from draw_line(line, frame.x, frame.y, line.y)


def _levels(frame: _Frame) -> Iterator[str]:
    for level in frame.chart.levels:
        y = frame.y.at(level.at)
        colour = WALL if level.is_wall else "currentColor"
        yield (
            f'<path d="M{_LEFT} {y:.1f}H{frame.right:.1f}" stroke="{colour}" stroke-width="1.6" '
            f'stroke-dasharray="{"" if level.is_wall else "3 3"}" fill="none"/>'
        )
        yield (
            f'<text x="{_LEFT + 5}" y="{y - 4:.1f}" fill="{colour}" font-weight="bold">'
            f"{words(level.text, 90)}</text>"
        )


def _marks(frame: _Frame) -> Iterator[str]:
    """A line for each; its words where there is room for them."""
    taken = 0.0
    for mark in sorted(frame.chart.marks, key=lambda one: one.at):
        x = frame.x.at(mark.at)
        if not _LEFT - 0.5 <= x <= frame.right + 0.5:
            continue
        yield (
            f'<path d="M{x:.1f} {frame.top}V{frame.low:.1f}" stroke="{mark.colour}" '
            f'stroke-dasharray="4 3"><title>{words(mark.text)}</title></path>'
        )
        text = safe(mark.text, 40)
        long = len(text) * _LETTER_PX
        if mark.is_strong and x >= taken and x + long < WIDTH:
            taken = x + long + 8
            yield _text(x + 3, frame.top - 5, text, extra=' font-size="11"')


def _legend(frame: _Frame) -> Iterator[str]:
    """The names of all series to the right, each near where its series ends."""
    grid = frame.chart.grid
    if grid is not None:
        for place, shade in enumerate(grid.shades):
            y = frame.top + 8.0 + place * _LABEL_PX
            yield from _name(frame.right + 84, y, shade.name, f'fill="{shade.colours[-1]}"')
        return
    entries = sorted(_entries(frame))
    fits = max(1, int((frame.low - frame.top + 40) // _LABEL_PX))
    shown = entries[:fits]
    heights = spread([one[0] for one in shown], float(frame.height - _LABEL_PX))
    for (_, text, style), y in zip(shown, heights, strict=True):
        yield from _name(frame.right + 10, y, text, style)


def _name(x: float, y: float, text: str, style: str) -> Iterator[str]:
    if style.startswith("fill"):
        yield f'<rect x="{x:.1f}" y="{y - 5:.1f}" width="20" height="10" {style}/>'
    else:
        yield (
            f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + 20:.1f}" y2="{y:.1f}" '
            f'stroke-width="2.5" {style}/>'
        )
    yield _text(x + 25, y + 4, safe(text, _LONGEST_LABEL))


def _entries(frame: _Frame) -> Iterator[tuple[float, str, str]]:
    """Wanted height in pixels, text, and look of each series' name."""
    areas = [line for line in frame.chart.lines if line.form == "area"]
    for line, (base, top) in zip(areas, stack(areas), strict=True):
        at = (_last(base) + _last(top)) / 2
        yield _inside_y(frame, at), line.name, f'fill="{line.colour}"'
    for line in frame.chart.lines:
        if line.form != "area":
            dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
            yield _inside_y(frame, _last(line.y)), line.name, f'stroke="{line.colour}"{dash}'


def _inside_y(frame: _Frame, value: float) -> float:
    return min(max(frame.y.at(value), frame.top), frame.low)


def _last(values: Sequence[Value]) -> float:
    return next((one for one in reversed(values) if one is not None), 0.0)


def spread(wanted: Sequence[float], lowest: float) -> list[float]:
    """Heights near the wanted ones, in the same order, that do not overlap and stay inside.

    Args:
        wanted: ascending, in pixels from above.
        lowest: the most that a height may be.
    """
    placed: list[float] = []
    for y in wanted:
        placed.append(max(y, placed[-1] + _LABEL_PX) if placed else y)
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], lowest)
        lowest = placed[index] - _LABEL_PX
    return placed
