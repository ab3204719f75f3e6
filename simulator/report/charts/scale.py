"""From values to places on a drawing, and the ticks that people expect there."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Final

from simulator.units import NS_PER_S, format_bytes, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.report.charts.chart import Axis, Chart, Unit

#: A log axis has no zero; what is not above it is drawn at this.
_LEAST_LOG: Final = 1e-9
_MOST_TICKS: Final = 12
#: Up to so many decades there is room for 2 and 5 as well.
_FEW_DECADES: Final = 3


def said(value: float, unit: Unit) -> str:
    """A value in its unit, short enough for a tick: ``412us``, ``2,000/s``, ``35 %``."""
    if unit == "ns":
        return format_ns(value) if value else "0"
    if unit == "s":
        return format_ns(value * NS_PER_S) if value else "0s"
    if unit == "rate":
        return format_rate(value)
    if unit == "bytes":
        return format_bytes(value)
    if unit == "share":
        return f"{100 * value:g} %"
    if unit == "port":
        return f"{value:.0f}"
    return format_count(value) if value == int(value) else f"{value:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where values of one axis are drawn.

    Attributes:
        low, high: values at the ends; differ.
        start, end: pixels there.
        log: logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool

    def at(self, value: float) -> float:
        """The pixel of a value."""
        low, high, here = self.low, self.high, value
        if self.log:
            low, high, here = log10(low), log10(high), log10(max(value, _LEAST_LOG))
        return self.start + (here - low) / (high - low) * (self.end - self.start)


def ends(axis: Axis, values: Iterable[float]) -> tuple[float, float]:
    """The values at both ends of an axis: what it asks for, else what holds all values.

    Linear axes start at zero unless told otherwise; log axes end at whole decades.
    """
    if axis.lanes:
        return len(axis.lanes) - 0.5, -0.5
    known = [one for one in values if isfinite(one) and (one > 0 or not axis.log)]
    least, most = (min(known), max(known)) if known else (1.0, 1.0)
    if axis.log:
        low = axis.low if axis.low is not None else 10.0 ** floor(log10(least) + 1e-9)
        high = axis.high if axis.high is not None else 10.0 ** ceil(log10(most) - 1e-9)
        return low, high if high > low else low * 10
    low = axis.low if axis.low is not None else min(0.0, least)
    high = axis.high if axis.high is not None else low + (most - low) * 1.04
    return low, high if high > low else low + 1


def ticks(axis: Axis, low: float, high: float) -> list[tuple[float, str]]:
    """Values and texts of an axis' ticks between its ends."""
    if axis.lanes:
        every = ceil(len(axis.lanes) / 64)
        return [(float(at), name) for at, name in enumerate(axis.lanes) if at % every == 0]
    if axis.ticks:
        return [tick for tick in axis.ticks if low <= tick[0] <= high]
    if axis.log:
        first, last = floor(log10(low) + 1e-9), floor(log10(high) + 1e-9)
        every = ceil((last - first + 1) / _MOST_TICKS)
        parts = (1, 2, 5) if last - first <= _FEW_DECADES else (1,)
        found = [part * 10.0**one for one in range(first, last + 1, every) for part in parts]
        return [(one, said(one, axis.unit)) for one in found if low <= one <= high * (1 + 1e-9)]
    step = _step((high - low) / 6, whole=axis.unit in ("count", "port"))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [(step * one, said(step * one, axis.unit)) for one in range(first, last + 1)]


def _step(rough: float, *, whole: bool) -> float:
    """The next of 1, 2, 5, 10 ... that is not below."""
    if whole:
        rough = max(rough, 1.0)
    decade = 10.0 ** floor(log10(rough))
    return float(next(decade * one for one in (1, 2, 5, 10) if decade * one >= rough - 1e-12))


def x_values(chart: Chart) -> list[float]:
    """Every x of a chart, for the ends of its axis."""
    found = [one for line in chart.lines for one in line.x]
    found += [one for span in chart.spans for one in (span.start, span.end)]
    if chart.grid is not None:
        found += [chart.grid.start, chart.grid.end]
    return found


def y_values(chart: Chart) -> list[float]:
    """Every y of a chart, levels and heaps of areas among them."""
    areas = [line for line in chart.lines if line.form == "area"]
    found = [
        one for line in chart.lines if line.form != "area" for one in line.y if one is not None
    ]
    found += [level.at for level in chart.levels]
    for column in zip(*(line.y for line in areas), strict=False):
        found.append(sum(one for one in column if one is not None))
    if chart.grid is not None:
        found += [chart.grid.low, chart.grid.high]
    return found
