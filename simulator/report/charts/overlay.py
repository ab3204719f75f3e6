"""The same charts of several runs on the same axes: a colour for each run, a dash for each series.

Where engines meet, the model's lines are dashed and the kernel's are not, as on a run's own page.

Heaped areas become their sum, since heaps of two runs cannot stand in one drawing. What has no
lines, such as a port space or leases, is drawn for each run by itself, on axes of equal length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from simulator.report.charts.chart import Chart, Level, Line, Mark
from simulator.report.charts.colours import DASHES, IN_TURN, WALL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.report.charts.chart import Axis

#: Beginning of a chart's name -> the series that are told apart by eye beside those of another run.
_KEPT: Final[dict[str, tuple[str, ...]]] = {
    "connect-cost": ("p50", "p99"),
    "rates": ("ok", "failed"),
    "latency": ("p50", "p99"),
    "percentiles": ("response", "connect"),
}
#: What is counted differently by each run, or by too many series to lay one over another.
_LEFT_OUT: Final = ("errors", "picks", "leases")
_SUM: Final = "in use"
#: Of each run, in this order; a wall's colour is no run's.
_COLOURS: Final = tuple(colour for colour in IN_TURN if colour != WALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The charts of one run.

    Attributes:
        name: what people call it, from outside.
        key: the same as a word of [a-z0-9-].
        charts: as its own page has them.
        dashes: how its series are told apart, in their order.
    """

    name: str
    key: str
    charts: Sequence[Chart]
    dashes: Sequence[str] = DASHES


def overlays(runs: Sequence[Drawn]) -> list[Chart]:
    """Charts with lines, each once for all runs that have it, in the order of the first run."""
    found = []
    for name in _names(runs):
        if name.startswith(_LEFT_OUT):
            continue
        having = [(place, run, chart) for place, run, chart in _having(runs, name) if chart.lines]
        if having:
            found.append(_overlay(having))
    return found


def apart(runs: Sequence[Drawn], head: str) -> list[Chart]:
    """Charts whose names begin so, one for each run, on axes of time of equal length."""
    found = []
    for name in _names(runs):
        if name.startswith(head):
            having = _having(runs, name)
            time = _widest([chart.x for _, _, chart in having])
            for _, run, chart in having:
                title = f"{run.name}: {chart.title}"
                found.append(replace(chart, name=f"{chart.name}-{run.key}", title=title, x=time))
    return found


def _names(runs: Sequence[Drawn]) -> list[str]:
    return list(dict.fromkeys(chart.name for run in runs for chart in run.charts))


def _having(runs: Sequence[Drawn], name: str) -> list[tuple[int, Drawn, Chart]]:
    return [
        (place, run, chart)
        for place, run in enumerate(runs)
        for chart in run.charts
        if chart.name == name
    ]


def _overlay(having: Sequence[tuple[int, Drawn, Chart]]) -> Chart:
    charts = [chart for _, _, chart in having]
    first = charts[0]
    return Chart(
        name=first.name,
        title=first.title,
        says=" ".join(f"{run.name}: {chart.says}" for _, run, chart in having),
        x=_widest([chart.x for chart in charts]),
        y=_widest([chart.y for chart in charts]),
        lines=tuple(line for place, run, chart in having for line in _lines(place, run, chart)),
        levels=tuple(_levels(having)),
        marks=tuple(_marks(having)),
        height=first.height,
    )


def _widest(axes: Sequence[Axis]) -> Axis:
    """An axis that holds all; an end that one leaves open stays open."""
    lows = [axis.low for axis in axes if axis.low is not None]
    highs = [axis.high for axis in axes if axis.high is not None]
    return replace(
        axes[0],
        low=min(lows) if len(lows) == len(axes) else None,
        high=max(highs) if len(highs) == len(axes) else None,
    )


def _lines(place: int, run: Drawn, chart: Chart) -> Iterator[Line]:
    wanted = next((kept for head, kept in _KEPT.items() if chart.name.startswith(head)), ())
    lines = [line for line in chart.lines if not wanted or line.name in wanted] or chart.lines
    areas = [line for line in lines if line.form == "area"]
    rest = [line for line in lines if line.form != "area"]
    colour = _COLOURS[place % len(_COLOURS)]
    shown = [_sum(areas), *rest] if areas else rest
    for index, line in enumerate(shown):
        name = run.name if len(shown) == 1 else f"{run.name} {line.name}"
        dash = run.dashes[index % len(run.dashes)]
        yield replace(line, name=name, colour=colour, dash=dash)


def _sum(areas: Sequence[Line]) -> Line:
    """The upper edge of a heap; a gap in one is a gap."""
    columns = zip(*(line.y for line in areas), strict=True)
    y = tuple(None if None in column else sum(filter(None, column)) for column in columns)
    return Line(name=_SUM, x=areas[0].x, y=y, colour=areas[0].colour)


def _levels(having: Sequence[tuple[int, Drawn, Chart]]) -> Iterator[Level]:
    """A wall that all share is told as it is, others with the runs whose they are."""
    whose: dict[Level, list[str]] = {}
    for _, run, chart in having:
        for level in chart.levels:
            whose.setdefault(level, []).append(run.name)
    for level, names in whose.items():
        shared = len(names) == len(having)
        yield level if shared else replace(level, text=f"{', '.join(names)}: {level.text}")


def _marks(having: Sequence[tuple[int, Drawn, Chart]]) -> Iterator[Mark]:
    """Phases once; where a run met its wall, in its own colour; single events not at all."""
    seen: set[tuple[float, str]] = set()
    for place, run, chart in having:
        for mark in chart.marks:
            if not mark.is_strong:
                continue
            if mark.colour == WALL:
                what = mark.text.partition(",")[0]  # the chart's title names the hop
                colour = _COLOURS[place % len(_COLOURS)]
                yield replace(mark, text=f"{run.name}: {what}", colour=colour)
            elif (mark.at, mark.text) not in seen:
                seen.add((mark.at, mark.text))
                yield mark
