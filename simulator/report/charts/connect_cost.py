"""What a connect() costs while tuples run out, with the cliff where the range is half full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.report.charts.chart import Axis, Chart, Line, Mark
from simulator.report.charts.colours import BLUE, GREY, ORANGE, VERMILION
from simulator.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulator.report.charts.story import Story

_KINDS: Final = (("p50", BLUE, ""), ("p99", ORANGE, ""), ("max", VERMILION, "2 3"))
_HALF: Final = 0.5


def connect_cost(story: Story) -> Iterator[Chart]:
    """A chart for each hop whose connects met more than one degree of occupancy."""
    for hop, table in story.summary.get("connect_cost", {}).items():
        rows = [row for row in table.get("buckets", ()) if row.get("n")]
        if len(rows) > 1:
            yield _chart(str(hop), rows)


def _chart(hop: str, rows: Sequence[Mapping[str, Any]]) -> Chart:
    x = tuple((row["from"] + row["to"]) / 2 for row in rows)
    lines = []
    for key, colour, dash in _KINDS:
        y = tuple(None if not row.get(key) else float(row[key]) for row in rows)
        if any(one is not None for one in y):
            lines.append(Line(name=key, x=x, y=y, colour=colour, dash=dash))
    return Chart(
        name=f"connect-cost-{hop}",
        title=f"Time inside connect() by how full the budget is, {hop}",
        says=_says(rows),
        x=Axis(title="share of the tuples in use", unit="share", low=0.0, high=1.0),
        y=Axis(title="time inside bind() and connect()", unit="ns", log=True),
        lines=tuple(lines),
        marks=(Mark(at=_HALF, text="half full", colour=GREY),),
    )


def _says(rows: Sequence[Mapping[str, Any]]) -> str:
    below = [row for row in rows if row["to"] <= _HALF and row.get("p50")]
    above = [row for row in rows if row["from"] >= _HALF and row.get("p50")]
    if not below or not above:
        last = next((row for row in reversed(rows) if row.get("p50")), None)
        if last is None:
            return "Too few connects were made at any occupancy for a median."
        return (
            f"At {100 * last['to']:.0f} % in use the median connect took {format_ns(last['p50'])}."
        )
    before = sorted(float(row["p50"]) for row in below)[len(below) // 2]
    worst = max(above, key=lambda row: float(row["p50"]))
    return (
        f"Below half the median connect took about {format_ns(before)}; at its worst above half, "
        f"with {100 * worst['from']:.0f} to {100 * worst['to']:.0f} % in use, it took "
        f"{format_ns(worst['p50'])}, {worst['p50'] / before:.1f} times as long."
    )
