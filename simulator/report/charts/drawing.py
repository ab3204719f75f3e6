"""The marks of an SVG chart: lines with gaps, steps, points, bars, heaped areas, spans."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.report.charts.chart import Line, Span, Value
    from simulator.report.charts.scale import Scale

    Points = list[tuple[float, float]]

_LANE_SHARE: Final = 0.72
_BAR_SHARE: Final = 0.8


def stack(areas: Sequence[Line]) -> list[tuple[tuple[Value, ...], tuple[Value, ...]]]:
    """Lower and upper edge of each area, standing on those before it; all share their x."""
    found = []
    base: tuple[Value, ...] = tuple(0.0 for _ in areas[0].y) if areas else ()
    for line in areas:
        top = tuple(
            None if low is None or own is None else low + own
            for low, own in zip(base, line.y, strict=True)
        )
        found.append((base, top))
        base = top
    return found


def draw_line(
    line: Line, x: Scale, y: Scale, top: Sequence[Value], base: Sequence[Value] | None = None
) -> Iterator[str]:
    """One series; an area has a base."""
    if line.form == "area" and base is not None:
        yield from _area(line, x, y, top, base)
        return
    if line.form == "bars":
        yield from _bars(line, x, y)
        return
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    for part in _parts(line.x, top):
        points = [(x.at(a), y.at(b)) for a, b in part]
        if line.form == "points" or len(points) == 1:
            yield _dots(points, line.colour)
            continue
        if line.form == "step":
            points = _stepped(points)
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        yield (
            f'<polyline points="{text}" fill="none" stroke-width="1.8" '
            f'stroke="{line.colour}"{dash}/>'
        )


def draw_span(span: Span, x: Scale, y: Scale, text: str) -> str:
    """A bar in its lane.

    Args:
        span: the bar.
        x: the axis of time.
        y: the lanes.
        text: its words, already escaped.
    """
    height = abs(y.at(1) - y.at(0)) * _LANE_SHARE
    left, right = x.at(span.start), x.at(span.end)
    return (
        f'<rect x="{left:.1f}" y="{y.at(span.lane) - height / 2:.1f}" '
        f'width="{max(1.0, right - left):.1f}" height="{height:.1f}" fill="{span.colour}" '
        f'fill-opacity="0.75"><title>{text}</title></rect>'
    )


def _parts(x: Sequence[float], y: Sequence[Value]) -> Iterator[Points]:
    """The stretches between gaps."""
    points = zip(x, y, strict=True)
    for is_gap, part in groupby(points, key=lambda point: point[1] is None):
        if not is_gap:
            yield [(a, b) for a, b in part if b is not None]


def _stepped(points: Points) -> Points:
    found = points[:1]
    for (_, before), (here, value) in pairwise(points):
        found += [(here, before), (here, value)]
    return found


def _dots(points: Points, colour: str) -> str:
    circles = "".join(f"M{a - 2:.1f} {b:.1f}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0" for a, b in points)
    return f'<path d="{circles}" fill="{colour}"/>'


def _bars(line: Line, x: Scale, y: Scale) -> Iterator[str]:
    known = [(a, b) for a, b in zip(line.x, line.y, strict=True) if b]
    gaps = [abs(x.at(b) - x.at(a)) for a, b in pairwise(line.x)]
    width = min(gaps, default=40.0) * _BAR_SHARE
    for a, b in known:
        foot, head = y.at(max(y.low, 0.0) if not y.log else y.low), y.at(b)
        yield (
            f'<rect x="{x.at(a) - width / 2:.1f}" y="{min(foot, head):.1f}" '
            f'width="{max(1.0, width):.1f}" height="{abs(foot - head):.1f}" fill="{line.colour}"/>'
        )


def _area(
    line: Line, x: Scale, y: Scale, top: Sequence[Value], base: Sequence[Value]
) -> Iterator[str]:
    both = zip(line.x, top, base, strict=True)
    for is_gap, part in groupby(both, key=lambda one: one[1] is None or one[2] is None):
        if is_gap:
            continue
        found = [(x.at(a), y.at(b or 0.0), y.at(c or 0.0)) for a, b, c in part]
        edge = [(a, b) for a, b, _ in found] + [(a, c) for a, _, c in reversed(found)]
        text = " ".join(f"{a:.1f},{b:.1f}" for a, b in edge)
        yield f'<polygon points="{text}" fill="{line.colour}" fill-opacity="0.8"/>'
