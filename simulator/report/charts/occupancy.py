"""Tuples of a hop over time by state, with the wall that they run into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.report.charts.chart import Axis, Chart, Level, Line
from simulator.report.charts.colours import BLUE, ESTABLISHED, MODEL_DASH, OTHER, TIME_WAIT
from simulator.report.charts.thin import thin
from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulator.report.charts.story import Story

#: Below this share of the budget a drawing to the wall would show nothing but the wall.
_WORTH_SHOWING: Final = 0.04
_STATES: Final = (
    ("established", "established", ESTABLISHED),
    ("time_wait", "TIME_WAIT", TIME_WAIT),
    ("other", "other states", OTHER),
)


def occupancy(story: Story) -> Iterator[Chart]:
    """A chart of the worst source and destination of each hop; that of the verdict first."""
    named = story.summary.get("verdict", {}).get("hop")
    for facts in sorted(story.summary.get("hops", ()), key=lambda one: one["name"] != named):
        hop = str(facts["name"])
        if hop in story.series.hops:
            yield _chart(story, hop, facts)


def _chart(story: Story, hop: str, facts: Mapping[str, object]) -> Chart:
    table = story.series.hops[hop]
    t_s = [one or 0.0 for one in table["t_s"]]
    budget = int(str(facts["budget"]))
    peak = max((one for one in table["in_use"] if one is not None), default=0.0)
    lines = [
        Line(
            name=name,
            x=tuple(t_s),
            y=tuple(table[key]),
            colour=colour,
            form="area",
        )
        for key, name, colour in _STATES
    ]
    lines = _thinned(lines)
    lines += _model_line(story, hop)
    near = peak >= _WORTH_SHOWING * budget
    return Chart(
        name=f"tuples-{hop}",
        title=f"Tuples in use, {hop}",
        says=_says(budget, peak, facts.get("exhausted_at_s")),
        x=story.time,
        # A hop that is far from its wall shall look so, instead of filling the frame.
        y=Axis(
            title="tuples, fullest group",
            low=0.0,
            high=None if near else max(_WORTH_SHOWING * budget, 1.0),
        ),
        lines=tuple(lines),
        levels=(Level(at=budget, text=f"wall: {format_count(budget)} tuples"),) if near else (),
        marks=story.marks,
    )


def _thinned(areas: Sequence[Line]) -> list[Line]:
    """Heaped areas must keep the same moments, so they are thinned by their sum."""
    sums = [
        None if None in column else sum(one for one in column if one is not None)
        for column in zip(*(line.y for line in areas), strict=True)
    ]
    kept = set(thin(areas[0].x, sums)[0])
    found = []
    for line in areas:
        points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if x in kept]
        found.append(
            Line(
                name=line.name,
                x=tuple(x for x, _ in points),
                y=tuple(y for _, y in points),
                colour=line.colour,
                form=line.form,
            )
        )
    return found


def _model_line(story: Story, hop: str) -> list[Line]:
    if story.modelled is None or hop not in story.modelled.series.hops:
        return []
    table = story.modelled.series.hops[hop]
    x, y = thin([one or 0.0 for one in table["t_s"]], table["in_use"])
    return [Line(name="in use, model", x=x, y=y, colour=BLUE, dash=MODEL_DASH)]


def _says(budget: int, peak: float, ran_out_s: object) -> str:
    share = f"{100 * peak / budget:.3g} %" if budget else "–"
    text = f"At most {format_count(peak)} of {format_count(budget)} tuples were in use ({share})"
    if isinstance(ran_out_s, int | float):
        return f"{text}; from {ran_out_s:.1f} s on, connections found no port."
    if peak >= budget:
        return f"{text}: none was left, though no connection came that would have needed one more."
    left = format_count(budget - peak)
    return f"{text}; {left} were always left, and no connection lacked a port."
