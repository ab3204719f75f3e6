"""Cost against work on logarithmic axes: the steps of a ladder, and the law through them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, exp, floor, log
from typing import TYPE_CHECKING, Final

from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import MODEL_DASH, style
from simulator.report.charts.measured_unit import measured
from simulator.report.charts.scale import said
from simulator.theory.growth import Growth, fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.report.charts.chart import Unit
    from simulator.store.read_bench import BenchRow

_STEP_RE: Final = re.compile(r"(.+)-(\d{1,3})")
_WORK: Final = "work"
_EXPONENT: Final = "exponent"
_TITLES: Final[dict[str, str]] = {
    "ns": "Time",
    "bytes": "Memory",
    "rate": "Rate",
    "share": "Share",
    "count": "Count",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """One measured number at each step of one axis.

    Attributes:
        axis: what grows.
        name: what was measured.
        unit: as it is stored.
        work: how much of the axis, ascending.
        values: medians in ``unit``, as long as ``work``.
        is_cost: whether the bench fits a law to it.
    """

    axis: str
    name: str
    unit: str
    work: tuple[float, ...]
    values: tuple[float, ...]
    is_cost: bool

    @property
    def law(self) -> Growth | None:
        """The power law through the steps; None where it is no cost."""
        return fit(self.work, self.values) if self.is_cost else None


def ladders(rows: Sequence[BenchRow]) -> list[Ladder]:
    """Every ladder in the rows of a bench: metrics ``NAME-1``, ``NAME-2`` ... beside ``work-1``.

    A bench without ``work-`` has none.
    """
    found = []
    for axis in dict.fromkeys(row.subject for row in rows):
        mine = {row.metric: row for row in rows if row.subject == axis and row.median is not None}
        steps: dict[str, dict[int, BenchRow]] = {}
        for metric, row in mine.items():
            if match := _STEP_RE.fullmatch(metric):
                steps.setdefault(match[1], {})[int(match[2])] = row
        work = steps.pop(_WORK, {})
        for name, table in steps.items():
            places = [step for step in sorted(work) if step in table]
            if len(places) > 1:
                found.append(
                    Ladder(
                        axis=axis,
                        name=name,
                        unit=table[places[0]].unit,
                        work=tuple(_median(work[step]) for step in places),
                        values=tuple(_median(table[step]) for step in places),
                        is_cost=f"{name}-{_EXPONENT}" in {row.metric for row in rows},
                    )
                )
    return found


def _median(row: BenchRow) -> float:
    return row.median or 0.0


def beside_ladders(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """The rows that are no step of a ladder and no law through one; all where there is none."""
    if not any(row.metric == f"{_WORK}-1" for row in rows):
        return list(rows)
    return [
        row
        for row in rows
        if not _STEP_RE.fullmatch(row.metric) and not row.metric.endswith(f"-{_EXPONENT}")
    ]


def ladder_charts(found: Sequence[Ladder]) -> Iterator[Chart]:
    """A chart for each axis and kind of unit."""
    for axis in dict.fromkeys(one.axis for one in found):
        mine = [one for one in found if one.axis == axis]
        # What it costs comes before how fast it went.
        units = dict.fromkeys(measured(one.unit).unit for one in mine)
        for unit in sorted(units, key=lambda unit: unit == "rate"):
            yield _chart(axis, unit, [one for one in mine if measured(one.unit).unit == unit])


def _chart(axis: str, unit: Unit, found: Sequence[Ladder]) -> Chart:
    lines = [line for index, one in enumerate(found) for line in _lines(one, index)]
    return Chart(
        name=f"growth-{axis}-{unit}",
        title=f"{_TITLES.get(unit, unit)} against {axis}",
        says=f"{'. '.join(map(in_words, found))}.",
        x=_works(axis, found),
        y=_amounts(unit, found),
        lines=tuple(lines),
    )


def _works(axis: str, found: Sequence[Ladder]) -> Axis:
    """The steps themselves, with a little air at both ends."""
    every = sorted({work for one in found for work in one.work})
    return Axis(
        title=axis,
        log=True,
        low=every[0] / 1.3,
        high=every[-1] * 1.3,
        ticks=tuple((work, short(work)) for work in every),
    )


def short(work: float) -> str:
    """An amount of work so short that neighbours on a drawing do not run into each other."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if work >= 10_000 and work >= size:
            return f"{work / size:g}{unit}"
    return f"{work:,.0f}"


def _amounts(unit: Unit, found: Sequence[Ladder]) -> Axis:
    """Whole decades, with the 2 and 5 of each where there are few; sizes by doublings."""
    every = [value * measured(one.unit).scale for one in found for value in one.values if value > 0]
    base = 2.0 if unit == "bytes" else 10.0
    low, high = floor(log(min(every), base) + 1e-9), ceil(log(max(every), base) - 1e-9)
    high = max(high, low + 1)
    between = (1, 2, 5) if unit != "bytes" and high - low <= 2 else (1,)
    ticks = [digit * base**step for step in range(low, high) for digit in between]
    return Axis(
        title=_TITLES.get(unit, unit).lower(),
        unit=unit,
        log=True,
        low=base**low,
        high=base**high,
        ticks=tuple((value, said(value, unit)) for value in [*ticks, base**high]),
    )


def in_words(one: Ladder) -> str:
    """The law of a cost, or from where to where anything else went."""
    law = one.law
    if law is not None:
        return law.sentence(f"{one.name} ({one.unit})", one.axis)
    return f"{one.name} went from {_said(one, one.values[0])} to {_said(one, one.values[-1])}"


def _said(one: Ladder, value: float) -> str:
    unit, scale = measured(one.unit)
    return said(value * scale, unit)


def _lines(one: Ladder, index: int) -> Iterator[Line]:
    """What was measured, step by step; a cost as points, with its law dashed through them."""
    colour, _ = style(index)
    scale = measured(one.unit).scale
    y = tuple(value * scale if value > 0 else None for value in one.values)
    law = one.law
    if law is None:
        yield Line(name=one.name, x=one.work, y=y, colour=colour)
        return
    yield Line(name=one.name, x=one.work, y=y, colour=colour, form="points")
    points = [(work, value) for work, value in zip(one.work, y, strict=True) if value]
    if law.exponent is None or len(points) < 2:
        return
    middle_x = exp(sum(log(x) for x, _ in points) / len(points))
    middle_y = exp(sum(log(value) for _, value in points) / len(points))
    ends = (one.work[0], one.work[-1])
    yield Line(
        name=f"{one.name}: work^{law.exponent:.2f}",
        x=ends,
        y=tuple(middle_y * (work / middle_x) ** law.exponent for work in ends),
        colour=colour,
        dash=MODEL_DASH,
    )
