"""Curves of the arena as a plain SVG file: what a pick costs while a range fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import style
from simulator.report.charts.svg import svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def probes_chart(title: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> Chart:
    """Ports looked at for a pick against the share of ports in use.

    Args:
        title: what stands above it.
        curves: by name, points of occupancy (0 to 1) and mean probes (shown from 1 on).
    """
    drawn = {name: points for name, points in curves.items() if points}
    lines = []
    for index, (name, points) in enumerate(drawn.items()):
        colour, dash = style(index)
        x, y = zip(*points, strict=True)
        lines.append(
            Line(name=name, x=x, y=tuple(max(1.0, one) for one in y), colour=colour, dash=dash)
        )
    return Chart(
        name="probes",
        title=title,
        says="A pick costs more as the range fills; how much more depends on the algorithm.",
        x=Axis(title="ports in use", unit="share", low=0.0, high=1.0),
        y=Axis(title="ports looked at for a pick", log=True, low=1.0),
        lines=tuple(lines),
        height=432,
    )


def probes_svg(title: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The drawing of `probes_chart` as text."""
    return svg(probes_chart(title, curves))
