"""Latency over time and over its percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.measure.latency_series import latency_series, spectrum
from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import BLUE, GREEN, GREY, ORANGE, PINK, VERMILION
from simulator.units import format_ns

if TYPE_CHECKING:
    from simulator.report.charts.story import Story

_LINES: Final = {"p50": BLUE, "p90": GREEN, "p99": ORANGE, "p99.9": PINK, "max": VERMILION}
_KINDS: Final = {"response": BLUE, "service": GREEN, "connect": ORANGE, "lag": GREY}
#: 1 / (1 - share), and how people call the percentile.
_PERCENTILES: Final = (
    (1.0, "p0"),
    (2.0, "p50"),
    (10.0, "p90"),
    (100.0, "p99"),
    (1e3, "p99.9"),
    (1e4, "p99.99"),
    (1e5, "p99.999"),
    (1e6, "p99.9999"),
)


def latency_over_time(story: Story) -> Chart | None:
    """Percentiles of the response time; None when nothing was answered."""
    found = latency_series(story.run)
    if found is None:
        return None
    lines = [
        Line(
            name=name,
            x=found.t_s,
            y=tuple(None if one is None else max(one, 1.0) for one in values),
            colour=_LINES[name],
            dash="2 3" if name == "max" else "",
        )
        for name, values in found.values_ns.items()
    ]
    response = story.summary.get("latency_ns", {}).get("response", {})
    told = ", ".join(
        f"{name} {format_ns(response[key])}"
        for key, name in (("p50", "p50"), ("p99", "p99"), ("max", "at most"))
        if response.get(key) is not None
    )
    return Chart(
        name="latency",
        title="Response time over the run",
        says=f"From when a connection was due to the end of its answer: {told or 'not measured'}. "
        "A percentile stands only where ten samples lie beyond it.",
        x=story.time,
        y=Axis(title="response time", unit="ns", log=True),
        lines=tuple(lines),
        marks=story.marks,
    )


def percentiles(story: Story) -> Chart | None:
    """The percentile spectrum of each kind of latency; None without samples."""
    found = spectrum(story.run)
    if not found:
        return None
    lines = [
        Line(name=kind, x=found[kind][0], y=found[kind][1], colour=colour)
        for kind, colour in _KINDS.items()
        if kind in found
    ]
    return Chart(
        name="percentiles",
        title="Latency by percentile",
        says="Each step to the right leaves a tenth as many connections that took longer. "
        "Response counts from when a connection was due, service from when it was sent; lag, "
        "the generator's own lateness, is the difference.",
        x=Axis(title="percentile", unit="none", log=True, low=1.0, ticks=_PERCENTILES),
        y=Axis(title="time", unit="ns", log=True),
        lines=tuple(lines),
    )
