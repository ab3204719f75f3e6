"""Several runs of each variant as people read them: medians, intervals, ratios, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from simulator.report.loop_text import NOT_COMPARED, loop_kind, loop_words
from simulator.report.metric_form import form_of, interval_text, times
from simulator.report.safe_text import DASH, safe
from simulator.report.summary_text import heading, number, part, render, rows
from simulator.units import format_count

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Repeats = Mapping[str, Any]


def repeats_text(repeats: Repeats, *, width: int = 100, color: bool = False) -> str:
    """The table of a `portchurn.repeats/1` object, as text that ends in a line break.

    Args:
        repeats: what `measure/repeats` made.
        width: columns.
        color: with terminal colours.
    """
    variants = rows(repeats, "variants")
    blocks: list[RenderableType | None] = [
        Text(_headline(repeats, variants), "bold"),
        _not_compared(repeats),
        _medians(variants),
        _ratios(rows(repeats, "ratios")),
        _failures(variants),
        _left_out(variants),
    ]
    return render([block for block in blocks if block is not None], width=width, color=color)


def _name(variant: Mapping[str, Any]) -> str:
    return safe(variant.get("variant") or "scenario", 40)


def _headline(repeats: Repeats, variants: Sequence[Mapping[str, Any]]) -> str:
    told = ", ".join(
        f"{_name(one)}{_loop(one)} {one.get('valid')} of {len(rows(one, 'runs'))}"
        for one in variants
    )
    text = f"Medians over runs; valid runs: {told}."
    if any(_has_interval(one) for one in variants):
        share = 100 * float(repeats.get("confidence", 0.95))
        return f"{text} Intervals: {share:.0f} %, bootstrap over runs."
    return f"{text} Fewer than five valid runs give no interval."


def _loop(variant: Mapping[str, Any]) -> str:
    """A closed loop is named wherever its numbers stand; an open one is what is usual."""
    return f" ({loop_words(variant)})" if loop_kind(variant) == "closed" else ""


def _not_compared(repeats: Repeats) -> Text | None:
    names = ", ".join(safe(name or "scenario", 40) for name in repeats.get("not_compared") or ())
    return Text(f"No ratio for {names}: {NOT_COMPARED}.", "yellow") if names else None


def _has_interval(variant: Mapping[str, Any]) -> bool:
    return any(
        isinstance(row, Mapping) and row.get("interval")
        for row in part(variant, "metrics").values()
    )


def _range(row: Mapping[str, Any], form: Callable[[float], str]) -> str:
    told = interval_text(row.get("interval"), form)
    return f" ({told})" if told else ""


def _medians(variants: Sequence[Mapping[str, Any]]) -> Table:
    table = heading("Median of the runs")
    table.add_column("", no_wrap=True)
    for one in variants:
        table.add_column(_name(one), justify="right", overflow="fold")
    metrics = dict.fromkeys(name for one in variants for name in part(one, "metrics"))
    for metric in metrics:
        form = form_of(metric)
        found = [part(one, "metrics", metric) for one in variants]
        cells = [f"{number(row.get('median'), form)}{_range(row, form)}" for row in found]
        if any(cell != DASH for cell in cells):
            table.add_row(safe(metric, 60), *cells)
    return table


_BESIDE: Final = ("", "metric", "ratio", "interval", "")


def _ratios(found: Sequence[Mapping[str, Any]]) -> Table | None:
    if not found:
        return None
    table = heading("Ratios of medians, by pairs of one block")
    for title in _BESIDE:
        table.add_column(title, no_wrap=True)
    for row in found:
        against = f"{_name(row)} / {safe(row.get('against') or 'scenario', 40)}"
        ratio = number(row.get("ratio"), times)
        interval = interval_text(row.get("interval"), times) or DASH
        table.add_row(
            against, safe(row.get("metric"), 60), ratio, interval, safe(row.get("says") or "")
        )
    return table


def _failures(variants: Sequence[Mapping[str, Any]]) -> Text | None:
    lines = []
    for one in variants:
        told = part(one, "failures")
        if told.get("at_most") is not None:
            sent = number(told.get("sent"), format_count)
            most = number(told.get("at_most"), lambda share: f"{100 * share:.2g} %")
            lines.append(f"{_name(one)}: 0 of {sent} failed, so at most {most} do (95 %)")
    return Text("\n".join(lines)) if lines else None


def _left_out(variants: Sequence[Mapping[str, Any]]) -> Text | None:
    lines = [
        f"Left out: {safe(run.get('run') or DASH, 200)}: "
        f"{safe('; '.join(map(str, run['left_out'])))}"
        for one in variants
        for run in rows(one, "runs")
        if run.get("left_out")
    ]
    return Text("\n".join(lines), "yellow") if lines else None
