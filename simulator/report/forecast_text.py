"""What the closed forms expect of a run, as text: one sentence, then a line for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.report.safe_text import safe
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.preflight.forecast import Forecast, HopForecast, PhaseForecast

_UNKNOWN = "-"


def forecast_text(title: str, variant: str, forecast: Forecast) -> str:
    """The whole answer for one scenario; ends in a line break."""
    return "\n".join([*_lines(title, variant, forecast), ""])


def _lines(title: str, variant: str, forecast: Forecast) -> Iterator[str]:
    yield safe(title, 200) + (f"  [{safe(variant, 40)}]" if variant else "")
    yield forecast.sentence
    alone = ", as far as ports go" if forecast.not_applied else ""
    yield f"EXPECTED  verdict {forecast.verdict}{alone}"
    chance = ""
    if forecast.asked_deviation:
        chance = f" (give or take {format_count(forecast.asked_deviation)}, by seed)"
    yield (
        f"  {format_count(forecast.asked)} connections asked for{chance}: "
        f"{_count(forecast.ok)} ok, {_count(forecast.failed)} failed"
    )
    yield "HOPS  of each, its fullest group of tuples"
    yield from _table(
        ("", "tuples", "ceiling", "runs out", "peak", "failed", "uses each", "ports walked"),
        [_hop(hop) for hop in forecast.hops],
    )
    yield "PHASES  on average, and tuples in use at their ends"
    yield from _table(
        ("", "until", "asked", "ok", "failed", "by", "in use"),
        [_phase(phase) for phase in forecast.phases],
    )
    if forecast.not_applied:
        yield "NOT PREDICTED  how many succeed and fail, because of"
        yield from (f"  {one.name}: {one.why}" for one in forecast.not_applied)
    if forecast.notes:
        yield "NOTES"
        yield from (f"  {note}" for note in forecast.notes)


def _hop(hop: HopForecast) -> tuple[str, ...]:
    groups = f" x {format_count(hop.groups)}" if hop.groups > 1 else ""
    walk = _UNKNOWN
    if hop.walk is not None:
        least, most = (format_count(number) for number in (hop.walk.least, hop.walk.most))
        walk = least if least == most else f"{least} to {most}"
    return (
        hop.hop,
        f"{format_count(hop.budget)}{groups}",
        "no limit" if hop.ceiling_per_s is None else format_rate(hop.ceiling_per_s),
        "never" if hop.wall_at_s is None else _seconds(hop.wall_at_s),
        format_count(hop.in_use_peak),
        _count(hop.failed),
        f"{hop.uses_per_tuple:.2f}",
        walk,
    )


def _phase(phase: PhaseForecast) -> tuple[str, ...]:
    states = "; ".join(
        f"{state.hop} {format_count(state.in_use)} ({format_count(state.established)} established, "
        f"{format_count(state.time_wait)} TIME_WAIT)"
        for state in phase.states
    )
    return (
        safe(phase.name, 32),
        _seconds(phase.end_s),
        format_count(phase.asked),
        _count(phase.ok),
        _count(phase.failed),
        phase.by,
        states,
    )


def _count(value: float | None) -> str:
    return _UNKNOWN if value is None else format_count(value)


def _seconds(value_s: float) -> str:
    return format_ns(value_s * NS_PER_S)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they must be; the last one is not padded."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()
