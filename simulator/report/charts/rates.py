"""Connections a second: asked, sent, ok and failed; how many are open; and what failed why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.report.charts.chart import Axis, Chart, Line
from simulator.report.charts.colours import (
    BLUE,
    GREEN,
    GREY,
    MODEL_DASH,
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
    """Failed connections a second by hop, call and errno; None when none failed."""
    found = story.series.errors_per_s
    if not found:
        return None
    order = sorted(found, key=lambda key: -sum(found[key]))
    shown = {key: found[key] for key in order[:_KINDS_SHOWN]}
    rest = order[_KINDS_SHOWN:]
    if rest:
        columns = zip(*(found[key] for key in rest), strict=True)
        shown[f"{len(rest)} more kinds"] = [sum(column) for column in columns]
    most = order[0]
    number = story.summary.get("attempts", {}).get("errors", {}).get(most)
    count = f", {format_count(number)} times" if isinstance(number, int) else ""
    return Chart(
        name="errors",
        title="Failed connections by hop, call and errno",
        says=f"The most frequent was {most}{count}"
        + (f"; {len(order)} kinds in all." if len(order) > 1 else "; no other kind."),
        x=story.time,
        y=Axis(title="failed connections", unit="rate", low=0.0),
        lines=tuple(_kinds(story.series.t_s, shown)),
        marks=story.marks,
        height=290,
    )


def _kinds(t_s: Sequence[float], shown: Mapping[str, Sequence[float]]) -> list[Line]:
    lines = []
    for index, (key, values) in enumerate(shown.items()):
        x, y = thin(t_s, values)
        # The first colour stands for wall errors; the usual order would begin with blue.
        colour, dash = (VERMILION, "") if index == 0 else style(index + 1)
        colour = SKY if colour == VERMILION and index else colour
        lines.append(Line(name=key, x=x, y=y, colour=colour, dash=dash))
    return lines
