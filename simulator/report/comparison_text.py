"""Runs held against each other as people read it: what differs, then the ratios, then the limits.

Reads a `portchurn.comparison/1` object and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from simulator.report.metric_form import form_of, interval_text, times
from simulator.report.safe_text import DASH, safe
from simulator.report.summary_text import heading, number, render, rows

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Comparison = Mapping[str, Any]

THE_SAME: Final = "Nothing but the numbers differs: scenario, settings, software and machine agree."
#: Where an interval is from -> what it says, and what it does not.
SOURCES: Final = {
    "blocks": "blocks of time drawn again, which say how far these runs differ and not how far the "
    "next would (five runs a side do, by run FILE --repeat 5)",
    "runs": "whole runs drawn again",
    "shares": "Wilson's intervals of the shares that failed, where one side had no failure",
}


def comparison_text(table: Comparison, *, width: int = 100, color: bool = False) -> str:
    """The comparison as text that ends in a line break.

    Args:
        table: what `measure/comparison` made, with ``limits`` where some were asked for.
        width: columns.
        color: with terminal colours; without them nothing is lost.
    """
    blocks: list[RenderableType | None] = [
        _sides(table),
        _lines(obstacle_lines(table), "yellow"),
        _differences(table),
        *_against_base(table),
        Text(interval_words(table)),
        _limits(table),
        _lines(left_out_lines(table), "yellow"),
    ]
    return render([block for block in blocks if block is not None], width=width, color=color)


def names(table: Comparison) -> list[str]:
    """The letters of the sides, the base first."""
    return [safe(side.get("name"), 8) for side in rows(table, "sides")]


def side_cells(side: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Letter, scenario with variant, run, verdict, validity of one side."""
    runs = [run for run in rows(side, "runs") if not run.get("left_out")]
    what = " ".join(filter(None, (str(side.get("scenario") or ""), str(side.get("variant") or ""))))
    of_several = f"{len(runs)} of {len(rows(side, 'runs'))} runs in {side.get('title')}"
    run = of_several if len(rows(side, "runs")) > 1 else str((runs or [{}])[0].get("run") or DASH)
    verdicts = ", ".join(dict.fromkeys(str(one.get("verdict") or DASH) for one in runs))
    valid = "valid" if all(one.get("valid") for one in runs) else "NOT VALID"
    return safe(side.get("name"), 8), safe(what, 60), safe(run, 120), safe(verdicts, 80), valid


def obstacle_lines(table: Comparison) -> list[str]:
    """What was overruled by force."""
    return [f"Not comparable: {safe(one.get('message'), 1000)}" for one in rows(table, "obstacles")]


def left_out_lines(table: Comparison) -> list[str]:
    """The runs of a series that are part of no number, each with its reason."""
    return [
        f"Left out: {safe(run.get('run') or DASH, 200)}: {safe('; '.join(map(str, reasons)))}"
        for side in rows(table, "sides")
        for run in rows(side, "runs")
        if isinstance(reasons := run.get("left_out"), Sequence) and reasons
    ]


def difference_cells(table: Comparison) -> list[list[str]]:
    """Place, key and the value of each side, of everything that differs."""
    return [
        [
            safe(one.get("place"), 20),
            safe(one.get("key"), 80),
            *map(_value, one.get("values") or ()),
        ]
        for one in rows(table, "differences")
    ]


def _value(value: object) -> str:
    return DASH if value is None else safe(value, 80)


def series_cells(table: Comparison) -> list[list[str]]:
    """Metric, the value of each side, and what each later side is against the base."""
    found = []
    for one in rows(table, "series"):
        form = form_of(str(one.get("metric")))
        values = [number(value, form) for value in one.get("values") or ()]
        told = [ratio_text(ratio) for ratio in rows(one, "ratios")]
        found.append([safe(one.get("metric"), 80), *values, *told])
    return found


def ratio_text(ratio: Mapping[str, Any]) -> str:
    """A ratio with its interval and the word that it allows."""
    interval = interval_text(ratio.get("interval"), times)
    parts = (
        number(ratio.get("ratio"), times),
        f"({interval})" if interval else "",
        safe(ratio.get("says") or "", 40),
    )
    return " ".join(filter(None, parts))


def interval_words(table: Comparison) -> str:
    """Where the intervals are from."""
    found = dict.fromkeys(
        str(ratio["from"])
        for one in rows(table, "series")
        for ratio in rows(one, "ratios")
        if ratio.get("from")
    )
    if not found:
        return (
            "No intervals: neither two to four runs of a side nor a run without rows allow one, "
            "and so no word either."
        )
    share = 100 * float(table.get("confidence", 0.95))
    told = "; ".join(SOURCES.get(source, safe(source, 40)) for source in found)
    return f"Intervals, {share:.0f} %: {told}."


def limit_lines(table: Comparison) -> list[tuple[bool, str]]:
    """Whether each limit failed, and what it came to."""
    found = []
    for one in rows(table, "limits"):
        form = form_of(str(one.get("metric")))
        ends = [_end(one.get(key), form) for key in ("base", "value")]
        change = " -> ".join(end for end in ends if end != DASH) or DASH
        text = f"{safe(one.get('text'), 200)}   {safe(one.get('side'), 8)}: {change}"
        found.append((bool(one.get("failed")), f"{text}   {safe(one.get('why'), 80)}"))
    return found


def _end(value: object, form: Any) -> str:  # noqa: ANN401 - a form of `metric_form`
    return safe(value, 80) if isinstance(value, str) else number(value, form)


def _sides(table: Comparison) -> Table:
    shown = heading("Compared; the first is the base")
    shown.show_header = False
    for _ in range(5):
        shown.add_column(overflow="fold")
    for side in rows(table, "sides"):
        cells = side_cells(side)
        style = "" if cells[-1] == "valid" else "red"
        shown.add_row(*cells[:-1], Text(cells[-1], style))
    return shown


def _lines(lines: Sequence[str], style: str) -> Text | None:
    return Text("\n".join(lines), style) if lines else None


def _differences(table: Comparison) -> Table | Text:
    found = difference_cells(table)
    if not found:
        return Text(THE_SAME)
    shown = heading("What differs besides the numbers")
    for title in ("", "", *names(table)):
        shown.add_column(title, overflow="fold")
    for cells in found:
        shown.add_row(*cells)
    return shown


def _against_base(table: Comparison) -> list[Table]:
    """One table for each later side, since all in one would be wider than a screen."""
    base, *others = names(table)
    return [_series(table, base, name, index) for index, name in enumerate(others, 1)]


def _series(table: Comparison, base: str, name: str, index: int) -> Table:
    shown = heading("" if index > 1 else "Series")
    shown.padding = (0, 1)  # the names of metrics are long
    shown.add_column("", overflow="fold")
    for title in (base, name, f"{name} / {base}", "interval"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for one in rows(table, "series"):
        metric = str(one.get("metric"))
        values = list(one.get("values") or ())
        ratio = next((row for row in rows(one, "ratios") if row.get("side") == name), {})
        ends = (values[0], values[index]) if index < len(values) else (None, None)
        shown.add_row(
            safe(metric, 80),
            *(number(value, form_of(metric)) for value in ends),
            number(ratio.get("ratio"), times),
            interval_text(ratio.get("interval"), times),
            safe(ratio.get("says") or "", 40),
        )
    return shown


def _limits(table: Comparison) -> Table | None:
    found = limit_lines(table)
    if not found:
        return None
    shown = heading("Fails if")
    shown.show_header = False
    shown.add_column(overflow="fold")
    for failed, text in found:
        sign = Text("✗ ", "red") if failed else Text("✓ ", "green")
        shown.add_row(sign.append(text, ""))
    return shown
