"""Subjects of a bench side by side: the median of each, from the lowest to the highest round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import BLUE, VERMILION
from simulator.report.charts.ladder import beside_ladders
from simulator.report.charts.measured_unit import measured
from simulator.report.charts.scale import said
from simulator.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulator.store.read_bench import BenchRow

    Label = Callable[[BenchRow], str]

#: Every bench has it, and it is no result: above 0 the subjects did not do the same work.
ERRORS: Final = "errors"


def peer_charts(rows: Sequence[BenchRow]) -> Iterator[Chart]:
    """A chart for each metric of several subjects, or for each unit of a single one.

    One that was not installed has its name and no bar. Steps of ladders are not shown here.
    """
    shown = [row for row in beside_ladders(rows) if row.metric != ERRORS]
    for bench in dict.fromkeys(row.bench for row in shown):
        mine = [row for row in shown if row.bench == bench]
        subjects = dict.fromkeys(row.subject for row in mine)
        if len(subjects) > 1:
            for metric in dict.fromkeys(row.metric for row in mine):
                # A bench that forms ratios with two subjects has each row twice; the first counts.
                once = {row.subject: row for row in reversed(mine) if row.metric == metric}
                once = {subject: once[subject] for subject in subjects if subject in once}
                yield from _chart(f"{bench}-{metric}", metric, list(once.values()), _subject)
        else:
            for unit in dict.fromkeys(row.unit for row in mine):
                of_unit = [row for row in mine if row.unit == unit]
                yield from _chart(f"{bench}-{unit}", bench, of_unit, _metric)


def _subject(row: BenchRow) -> str:
    if row.version is None:
        return f"{row.subject}: not installed"
    # A package's own suffix would run into the next name.
    return f"{row.subject} {row.version.partition('-')[0]}"


def _metric(row: BenchRow) -> str:
    return row.metric


def _chart(name: str, title: str, rows: Sequence[BenchRow], label: Label) -> Iterator[Chart]:
    told = [row for row in rows if row.median is not None]
    if not told or len(rows) < 2:
        return
    unit, scale = measured(rows[0].unit)
    x = tuple(float(place) for place in range(len(rows)))
    yield Chart(
        name=slug(f"peers-{name.replace('/', '-')}"),
        title=f"{rows[0].bench}: {title}, {rows[0].unit}",
        says=_says(told, rows[0].bench, label),
        x=Axis(
            title="",
            unit="none",
            low=-0.6,
            high=len(rows) - 0.4,
            ticks=tuple((float(place), label(row)) for place, row in enumerate(rows)),
        ),
        y=Axis(title="time" if unit == "ns" else rows[0].unit, unit=unit, low=0.0),
        lines=(
            Line(
                name="median",
                x=x,
                y=tuple(None if row.median is None else row.median * scale for row in rows),
                colour=BLUE,
                form="bars",
            ),
            *_reach(rows, scale),
        ),
        height=290,
    )


def _reach(rows: Sequence[BenchRow], scale: float) -> Iterator[Line]:
    """From the lowest round to the highest, where there was more than one."""
    x: list[float] = []
    y: list[float | None] = []
    for place, row in enumerate(rows):
        if row.low is not None and row.high is not None and row.n > 1:
            x += [float(place)] * 3
            y += [row.low * scale, row.high * scale, None]
    if x:
        yield Line(name="lowest to highest", x=tuple(x), y=tuple(y), colour=VERMILION)


def _says(told: Sequence[BenchRow], bench: str, label: Label) -> str:
    parts = []
    for row in told:
        unit, scale = measured(row.unit)
        text = f"{label(row)} {said((row.median or 0) * scale, unit)}"
        if row.ratio is not None and row.subject != row.against:
            text += f" ({row.ratio:.2f} of {row.against}'s)"
        parts.append(text)
    rounds = max(row.n for row in told)
    return f"Medians of {rounds} round{'s' if rounds > 1 else ''} of {bench}: {', '.join(parts)}."
