"""Connections a second: asked, sent, ok and failed; how many are open; and what failed why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import (
    BLUE,
    GREEN,
    GREY,
    MODEL_DASH,
    MODEL_SAYS,
    SKY,
    VERMILION,
    style,
)
from simulator.report.charts.thin import thin
from simulator.units import format_count, format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.report.charts.story import Story

_RATES: Final = (
    ("asked", "asked", GREY),
    ("sent", "sent", BLUE),
    ("ok", "ok", GREEN),
    ("failed", "failed", VERMILION),
)
_KINDS_SHOWN: Final = 8
#: Beside the model's lines, so few that none of the run's own needs a dash.
_KINDS_BESIDE: Final = 5


def rates(story: Story) -> Chart:
    """Asked, sent, ok and failed over time; ok of the model beside it where there is one."""
    series = story.series
    lines = []
    for key, name, colour in _RATES:
        x, y = thin(series.t_s, series.rates_per_s[key])
        lines.append(Line(name=name, x=x, y=y, colour=colour))
    if story.modelled is not None:
        other = story.modelled.series
        for key, name, colour in _RATES[2:]:
            x, y = thin(other.t_s, other.rates_per_s[key])
            lines.append(Line(name=f"{name}, model", x=x, y=y, colour=colour, dash=MODEL_DASH))
    return Chart(
        name="rates",
        title="Connections a second",
        says=_says(story),
        x=story.time,
        y=Axis(title="connections", unit="rate", low=0.0),
        lines=tuple(lines),
        marks=story.marks,
    )


def _says(story: Story) -> str:
    attempts = story.summary.get("attempts", {})
    told = story.summary.get("rates_per_s", {})
    counts = ", ".join(
        f"{format_count(attempts[key])} {word}"
        for key, word in (("sent", "were sent"), ("ok", "went well"), ("failed", "failed"))
        if isinstance(attempts.get(key), int)
    )
    ok = told.get("ok")
    rate = f" In the measured phases {format_rate(ok)} went well." if ok is not None else ""
    return f"Of the connections, {counts}.{rate}"


def open_connections(story: Story) -> Chart | None:
    """Client connections open at once, over time; None when none ever was."""
    series = story.series
    if not any(series.open_connections):
        return None
    x, y = thin(series.t_s, [float(one) for one in series.open_connections])
    lines = [Line(name="open", x=x, y=y, colour=BLUE)]
    if story.modelled is not None:
        other = story.modelled.series
        x, y = thin(other.t_s, [float(one) for one in other.open_connections])
        lines.append(Line(name="open, model", x=x, y=y, colour=BLUE, dash=MODEL_DASH))
    return Chart(
        name="open",
        title="Connections open at once",
        says=f"At most {format_count(max(series.open_connections))} were open at the end of a "
        "tenth of a second.",
        x=story.time,
        y=Axis(title="connections", low=0.0),
        lines=tuple(lines),
        marks=story.marks,
        height=260,
    )


def failures(story: Story) -> Chart | None:
    """Failed connections a second by hop, call and errno, the model's beside; None when none."""
    found = story.series.errors_per_s
    beside = {} if story.modelled is None else story.modelled.series.errors_per_s
    if not found and not beside:
        return None
    count = _KINDS_SHOWN if story.modelled is None else _KINDS_BESIDE
    order = sorted({**beside, **found}, key=lambda key: -sum(found.get(key) or beside[key]))
    shown, rest = order[:count], order[count:]
    looks = {key: _look(index) for index, key in enumerate(shown)}
    lines = _kinds(story.series.t_s, _heaped(found, shown, rest), looks, _look(count))
    if story.modelled is not None:
        x = story.modelled.series.t_s
        for line in _kinds(x, _heaped(beside, shown, rest), looks, _look(count)):
            lines.append(replace(line, name=f"{line.name}, model", dash=MODEL_DASH))
    return Chart(
        name="errors",
        title="Failed connections by hop, call and errno",
        says=_most(story.summary, found) + (MODEL_SAYS if beside else ""),
        x=story.time,
        y=Axis(title="failed connections", unit="rate", low=0.0),
        lines=tuple(lines),
        marks=story.marks,
        height=290,
    )


def _most(summary: Mapping[str, Any], found: Mapping[str, Sequence[float]]) -> str:
    if not found:
        return "None failed here; in the model some did."
    most = max(found, key=lambda key: sum(found[key]))
    number = summary.get("attempts", {}).get("errors", {}).get(most)
    count = f", {format_count(number)} times" if isinstance(number, int) else ""
    return f"The most frequent was {most}{count}" + (
        f"; {len(found)} kinds in all." if len(found) > 1 else "; no other kind."
    )


def _heaped(
    found: Mapping[str, Sequence[float]], shown: Sequence[str], rest: Sequence[str]
) -> dict[str, Sequence[float]]:
    """The kinds that have a line of their own, and the sum of all others as one more."""
    kinds = {key: found[key] for key in shown if key in found}
    others = [found[key] for key in rest if key in found]
    if others:
        kinds[f"{len(others)} more kinds"] = [sum(column) for column in zip(*others, strict=True)]
    return kinds


def _look(index: int) -> tuple[str, str]:
    """Colour and dash of a kind: the first is red, as errors of a wall are."""
    if index == 0:
        return VERMILION, ""
    colour, dash = style(index + 1)
    return (SKY if colour == VERMILION else colour), dash


def _kinds(
    t_s: Sequence[float],
    kinds: Mapping[str, Sequence[float]],
    looks: Mapping[str, tuple[str, str]],
    last: tuple[str, str],
) -> list[Line]:
    lines = []
    for key, values in kinds.items():
        x, y = thin(t_s, values)
        colour, dash = looks.get(key, last)
        lines.append(Line(name=key, x=x, y=y, colour=colour, dash=dash))
    return lines
