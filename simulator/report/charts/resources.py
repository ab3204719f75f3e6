"""CPU and memory of each role over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.measure.role_series import role_series
from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import BLUE, GREEN, GREY, ORANGE, PINK, SKY
from simulator.report.charts.thin import thin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.measure.role_series import RoleSeries
    from simulator.report.charts.story import Story

_ROLES: Final = {
    "client": BLUE,
    "sidecar": SKY,
    "balancer": GREEN,
    "backend": ORANGE,
    "sampler": GREY,
}


def resources(story: Story) -> Iterator[Chart]:
    """CPU, then memory; nothing where no role told of either, as in the model."""
    found = role_series(story.run)
    if not found:
        return
    busiest = max(found, key=lambda role: max(found[role].cores))
    yield Chart(
        name="cpu",
        title="CPU by role",
        says=f"Busiest was the {busiest}, with at most "
        f"{100 * max(found[busiest].cores):.0f} % of a core over one tick.",
        x=story.time,
        y=Axis(title="cores", unit="share", low=0.0),
        lines=_lines(found, "cores"),
        marks=story.marks,
        height=260,
    )
    if any(any(series.rss_bytes) for series in found.values()):
        largest = max(found, key=lambda role: max(found[role].rss_bytes))
        yield Chart(
            name="memory",
            title="Memory by role",
            says=f"Largest was the {largest}; processes of a role are counted together.",
            x=story.time,
            y=Axis(title="resident memory", unit="bytes", low=0.0),
            lines=_lines(found, "rss_bytes"),
            marks=story.marks,
            height=260,
        )


def _lines(found: Mapping[str, RoleSeries], column: str) -> tuple[Line, ...]:
    lines = []
    for role, series in found.items():
        x, y = thin(series.t_s, getattr(series, column))
        lines.append(Line(name=role, x=x, y=y, colour=_ROLES.get(role, PINK)))
    return tuple(lines)
