"""Variants of one scenario side by side: one column each, one row for what people compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from simulator.report.dns_text import dns_cells
from simulator.report.loop_text import loop_words, mixed_loops
from simulator.report.safe_text import DASH, safe
from simulator.report.summary_text import heading, number, part, render, rows, verdict_line
from simulator.units import format_count, format_ns, format_rate

if TYPE_CHECKING:
    from rich.table import Table

Summary = Mapping[str, Any]


def variants_text(summaries: Sequence[Summary], *, width: int = 100, color: bool = False) -> str:
    """Each variant's verdict, then the table, as text that ends in a line break.

    Args:
        summaries: `portchurn.summary/1` objects of the variants, in the scenario's order.
        width: columns.
        color: with terminal colours.
    """
    verdicts = [
        Text(f"{name(one, n)}: ").append_text(verdict_line(one)) for n, one in enumerate(summaries)
    ]
    lines = heading("")
    lines.title = None
    lines.show_header = False
    lines.add_column(overflow="fold")
    for verdict in verdicts:
        lines.add_row(verdict)
    mixed = mixed_loops(summaries)
    warning = [Text(mixed, "yellow")] if mixed else []
    return render([lines, *warning, side_by_side(summaries)], width=width, color=color)


def name(summary: Summary, index: int) -> str:
    """A variant's name, or its place when it has none."""
    return safe(summary.get("variant") or f"variant {index + 1}", 40)


def side_by_side(summaries: Sequence[Summary]) -> Table:
    """The table: rows that no variant has a value for are left out."""
    table = heading("Side by side")
    table.add_column("", no_wrap=True)
    for index, one in enumerate(summaries):
        table.add_column(name(one, index), justify="right", overflow="fold")
    for title, values in comparison(summaries):
        if any(value != DASH for value in values):
            table.add_row(title, *values)
    return table


def _validity(summary: Summary) -> str:
    valid = summary.get("valid")
    return DASH if valid is None else ("yes" if valid else "NO")


def _loop(summary: Summary) -> str:
    """Only of a run that says so."""
    return loop_words(summary).replace(" loop", "") if "loop" in summary else DASH


def comparison(summaries: Sequence[Summary]) -> list[tuple[str, list[str]]]:
    """What is compared: a title, and a value for each variant, DASH where it has none."""
    compared: list[tuple[str, list[str]]] = [
        ("verdict", [safe(part(s, "verdict").get("code") or DASH, 40) for s in summaries]),
        ("valid", [_validity(s) for s in summaries]),
        ("loop", [_loop(s) for s in summaries]),
    ]
    for title, key in (("asked", "asked"), ("sent", "sent"), ("ok", "ok")):
        values = [number(part(s, "rates_per_s").get(key), format_rate) for s in summaries]
        compared.append((title, values))
    for title, key in (("planned", "planned"), ("ok", "ok"), ("failed", "failed")):
        values = [number(part(s, "attempts").get(key), format_count) for s in summaries]
        compared.append((f"{title} (count)", values))
    peaks = [number(part(s, "connections").get("peak_concurrent"), format_count) for s in summaries]
    compared.append(("open at once", peaks))
    for latency in ("connect", "response"):
        for key in ("p50", "p99"):
            values = [number(part(s, "latency_ns", latency).get(key), format_ns) for s in summaries]
            compared.append((f"{latency} {key}", values))
    for hop in _hop_names(summaries):
        compared += _hop_rows(summaries, hop)
    cpu = [
        number(part(s, "cpu").get("balancer_us_per_connection"), lambda us: format_ns(us * 1000))
        for s in summaries
    ]
    compared.append(("balancer CPU each", cpu))
    cells = [dns_cells(one) for one in summaries]
    compared += [(title, [row[title] for row in cells]) for title in cells[0]] if cells else []
    return compared


def _hop_names(summaries: Sequence[Summary]) -> list[str]:
    """Names of the hops in the order they are first met."""
    found = (str(hop.get("name")) for one in summaries for hop in rows(one, "hops"))
    return list(dict.fromkeys(found))


def _hop_rows(summaries: Sequence[Summary], hop: str) -> list[tuple[str, list[str]]]:
    of_each = [
        next((row for row in rows(one, "hops") if str(row.get("name")) == hop), {})
        for one in summaries
    ]
    shown = safe(hop, 32)
    counts = (("budget", "budget"), ("peak", "in_use_peak"), ("ports seen", "distinct_ports"))
    compared = [
        (f"{shown} {title}", [number(row.get(key), format_count) for row in of_each])
        for title, key in counts
    ]
    ran_out = [number(row.get("exhausted_at_s"), lambda s: f"{s:.1f}s") for row in of_each]
    return [*compared, (f"{shown} ran out at", ran_out)]
