"""Latency over time and over its percentiles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from simulator.measure.latency_series import latency_series, spectrum
from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import (
    BLUE,
    GREEN,
    GREY,
    MODEL_DASH,
    MODEL_SAYS,
    ORANGE,
    PINK,
    VERMILION,
)
from simulator.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine import Run
    from simulator.report.charts.story import Story

_LINES: Final = {"p50": BLUE, "p90": GREEN, "p99": ORANGE, "p99.9": PINK, "max": VERMILION}
_KINDS: Final = {"response": BLUE, "service": GREEN, "connect": ORANGE, "lag": GREY}
#: In the model a connect takes no time and nobody is late, so only this one is worth a line.
_MODELLED_KINDS: Final = ("response",)
#: One value at a stretch's end says little beside that of the other engine.
_MODELLED: Final = tuple(name for name in _LINES if name != "max")
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
    """Percentiles of the response time, the model's beside them; None when nothing was answered."""
    lines = _over_time(story.run)
    beside = [] if story.modelled is None else _over_time(story.modelled.run)
    shown = {line.name for line in lines} or set(_MODELLED)
    lines += [_dashed(line) for line in beside if line.name in _MODELLED and line.name in shown]
    if not lines:
        return None
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
        "A percentile stands only where ten samples lie beyond it." + _model_says(lines),
        x=story.time,
        y=Axis(title="response time", unit="ns", log=True),
        lines=tuple(lines),
        marks=story.marks,
    )


def _over_time(run: Run) -> list[Line]:
    found = latency_series(run)
    if found is None:
        return []
    return [
        Line(
            name=name,
            x=found.t_s,
            y=tuple(None if one is None else max(one, 1.0) for one in values),
            colour=_LINES[name],
            dash="2 3" if name == "max" else "",
        )
        for name, values in found.values_ns.items()
    ]


def _dashed(line: Line) -> Line:
    return replace(line, name=f"{line.name}, model", dash=MODEL_DASH)


def _model_says(lines: Sequence[Line]) -> str:
    return MODEL_SAYS if any(line.dash == MODEL_DASH for line in lines) else ""


def percentiles(story: Story) -> Chart | None:
    """The percentile spectrum of each kind of latency, the model's response beside it.

    None without samples.
    """
    lines = _spectrum(story.run)
    if story.modelled is not None:
        beside = _spectrum(story.modelled.run)
        lines += [_dashed(line) for line in beside if line.name in _MODELLED_KINDS]
    if not lines:
        return None
    return Chart(
        name="percentiles",
        title="Latency by percentile",
        says="Each step to the right leaves a tenth as many connections that took longer. "
        "Response counts from when a connection was due, service from when it was sent; lag, "
        "the generator's own lateness, is the difference." + _model_says(lines),
        x=Axis(title="percentile", unit="none", log=True, low=1.0, ticks=_PERCENTILES),
        y=Axis(title="time", unit="ns", log=True),
        lines=tuple(lines),
    )


def _spectrum(run: Run) -> list[Line]:
    found = spectrum(run)
    return [
        Line(name=kind, x=found[kind][0], y=found[kind][1], colour=colour)
        for kind, colour in _KINDS.items()
        if kind in found
    ]
