"""A summary as people read it: the verdict first, then what to do, then the evidence.

Reads `summary.json` and nothing else, so any stored run can be shown again. Every part is
optional, since an aborted run has less and an older one may lack a field: what is not known is a
dash, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from simulator.report.care_text import care_lines
from simulator.report.dns_text import dns_lines
from simulator.report.moves_text import moves_lines
from simulator.report.nat_text import nat_lines
from simulator.report.port_use_text import port_use_lines
from simulator.report.precision_text import precision_lines
from simulator.report.recovery_text import recovery_lines
from simulator.report.safe_text import DASH, safe
from simulator.report.trust_box import limits_line, measured_line, valid_line
from simulator.units import format_bytes, format_count, format_ns, format_rate

Summary = Mapping[str, Any]
_LATENCIES: Final = ("connect", "response", "service", "lag")
_PERCENTILES: Final = (
    ("p50", "p50"),
    ("p90", "p90"),
    ("p99", "p99"),
    ("p999", "p99.9"),
    ("max", "max"),
)
_ROLES: Final = ("client", "sidecar", "balancer", "backend")
_WIDTH: Final = 100


def number(value: object, form: Callable[[float], str]) -> str:
    """A number in its form; a dash when it is missing or not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - nan
        return DASH
    return form(value)


def part(summary: Summary, *path: str) -> Mapping[str, Any]:
    """A mapping inside the summary; empty when it is missing or something else."""
    found: Any = summary
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def rows(summary: Summary, name: str) -> list[Mapping[str, Any]]:
    """A list of mappings inside the summary; empty when it is missing or something else."""
    found = summary.get(name)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return []
    return [row for row in found if isinstance(row, Mapping)]


def summary_text(
    summary: Summary, *, path: str = "", width: int = _WIDTH, color: bool = False
) -> str:
    """The whole summary as text that ends in a line break.

    Args:
        summary: a `portchurn.summary/1` object.
        path: where the results are; shown last when given.
        width: columns; lines that must stay whole (verdict, path) may be longer.
        color: with terminal colours; without them nothing is lost.
    """
    blocks: list[RenderableType | None] = [
        verdict_line(summary),
        _remedies(summary),
        _thresholds(summary),
        _trust_box(summary),
        _attempts(summary),
        _latencies(summary),
        _lines("Precision of this run, 95 %", precision_lines(summary)),
        _hops(summary),
        _lines(
            "Use of ports and backends (unevenness: 0 = in turn, 1 = as at random)",
            port_use_lines(summary),
        ),
        _lines("NAT", nat_lines(summary)),
        _lines("Recovery after churn", recovery_lines(summary)),
        _errors(summary),
        _lines("Backends that moved", moves_lines(part(summary, "backends"))),
        _lines("Care for backends", care_lines(summary)),
        _lines("DNS resolver", dns_lines(summary)),
        _cost(summary),
        _connect_cost(summary),
        _doubts(summary),
        _notes(summary),
    ]
    if path:
        blocks.append(Text(f"Results: {safe(path, 4096)}"))
    return render([block for block in blocks if block is not None], width=width, color=color)


def render(blocks: Sequence[RenderableType], *, width: int, color: bool) -> str:
    """Blocks with an empty line between them, as text."""
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    for index, block in enumerate(blocks):
        if index:
            console.print()
        # Sentences and paths stay on one line, so that `head -1` and a copied path are whole.
        console.print(block, soft_wrap=isinstance(block, Text))
    text = console.file.getvalue() if isinstance(console.file, StringIO) else ""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def verdict_line(summary: Summary) -> Text:
    """The verdict's sentence, green when nothing ran out."""
    verdict = part(summary, "verdict")
    sentence = safe(verdict.get("sentence") or "No verdict: the run has no summary.", 2000)
    return Text(sentence, "bold green" if verdict.get("code") == "ok" else "bold red")


def heading(title: str) -> Table:
    """An empty table under a title, in the house look."""
    return Table(
        box=None,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 2),
    )


def _lines(title: str, lines: Sequence[Text | str]) -> Table | None:
    if not lines:
        return None
    table = heading(title)
    table.show_header = False
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(line if isinstance(line, Text) else Text(line))
    return table


def remedy_words(item: object) -> str:
    """A remedy as text; a mapping may hold its gain apart."""
    if not isinstance(item, Mapping):
        return safe(item)
    said = item.get("text") or item.get("remedy") or item.get("message") or ""
    gain = item.get("gain")
    return safe(f"{said}: {gain}" if gain else said)


def _remedies(summary: Summary) -> Table | None:
    found = part(summary, "verdict").get("remedies")
    if not isinstance(found, Sequence) or isinstance(found, str):
        return None
    if not found:
        return None
    is_ok = part(summary, "verdict").get("code") == "ok"
    table = heading("How far it is to the wall" if is_ok else "What mends it")
    table.show_header = False
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for place, item in enumerate(found, 1):
        table.add_row(f"{place}.", Text(remedy_words(item)))
    return table


def _thresholds(summary: Summary) -> Table | None:
    lines = []
    for row in rows(summary, "thresholds"):
        # On a measurement that is not valid a threshold can fail, but it cannot pass.
        doubtful = row.get("holds") and summary.get("valid") is False
        sign, style = ("✓", "green") if row.get("holds") else ("✗", "red")
        if doubtful or row.get("holds") is None:
            sign, style = ("?", "yellow")
        line = Text().append(f"{sign} ", style).append(safe(row.get("text")))
        value = threshold_value(row)
        line.append(f"   measured {value}")
        if doubtful:
            line.append("   not counted: the measurement is not valid", "yellow")
        lines.append(line)
    return _lines("Thresholds", lines)


def threshold_value(row: Mapping[str, Any]) -> str:
    """The measured value in the unit that the threshold itself was written in."""
    value, text = row.get("value"), str(row.get("text", ""))
    if isinstance(value, str):
        return safe(value, 80)
    bound = text.rsplit(" ", 1)[-1]
    if bound.endswith(("/s", "/min", "/m", "/h", "/sec")):
        return number(value, format_rate)
    if bound.endswith("B"):
        return number(value, format_bytes)
    if bound.endswith(("s", "m", "h", "min")) and bound[:1].isdigit():
        return number(value, format_ns)
    return number(value, lambda v: f"{v:,.4g}" if v != int(v) else format_count(v))


def _trust_box(summary: Summary) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    valid = summary.get("valid")
    label = "VALID" if valid else ("NOT VALID" if valid is False else "VALID ?")
    table.add_row(Text("MEASURED", "bold"), Text(measured_line(summary)))
    table.add_row(Text(label, "bold" if valid else "bold red"), Text(valid_line(summary)))
    table.add_row(Text("LIMITS", "bold"), Text(limits_line(summary)))
    return table


def _attempts(summary: Summary) -> Table:
    rates, attempts = part(summary, "rates_per_s"), part(summary, "attempts")
    not_sent = part(summary, "attempts", "not_sent")
    table = heading("Connections")
    table.show_header = False
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column(overflow="fold")

    def count(name: str) -> str:
        return number(attempts.get(name), format_count)

    why = ", ".join(f"{format_count(n)} {safe(reason, 40)}" for reason, n in not_sent.items() if n)
    table.add_row("asked", number(rates.get("asked"), format_rate), count("planned"), "")
    table.add_row(
        "sent",
        number(rates.get("sent"), format_rate),
        count("sent"),
        f"not sent: {why}" if why else "",
    )
    table.add_row("ok", number(rates.get("ok"), format_rate), count("ok"), "")
    table.add_row("failed", "", count("failed"), "")
    if attempts.get("open_at_end"):
        table.add_row("open at end", "", count("open_at_end"), "")
    peak = part(summary, "connections").get("peak_concurrent")
    table.add_row("at once", "", number(peak, format_count), "the most open at one moment")
    return table


def _latencies(summary: Summary) -> Table | None:
    found = part(summary, "latency_ns")
    if not found:
        return None
    table = heading("Latency")
    for title in ("", "count", *(title for _, title in _PERCENTILES)):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for name in _LATENCIES:
        row = part(summary, "latency_ns", name)
        if row:
            values = [number(row.get(key), format_ns) for key, _ in _PERCENTILES]
            table.add_row(name, number(row.get("count"), format_count), *values)
    return table


def _hops(summary: Summary) -> Table | None:
    found = rows(summary, "hops")
    if not found:
        return None
    table = heading("Tuples of each hop (worst source and destination)")
    for title in ("", "budget", "peak", "established", "TIME_WAIT", "ports seen", "ran out at"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    for hop in found:
        counts = [
            number(hop.get(key), format_count)
            for key in (
                "budget",
                "in_use_peak",
                "established_peak",
                "time_wait_peak",
                "distinct_ports",
            )
        ]
        ran_out = number(hop.get("exhausted_at_s"), lambda s: f"{s:.1f}s")
        style = "red" if ran_out != DASH else ""
        table.add_row(safe(hop.get("name"), 32), *counts, ran_out, style=style)
    return table


def _errors(summary: Summary) -> Table | None:
    found = part(summary, "attempts", "errors")
    counted = [(key, n) for key, n in found.items() if isinstance(n, int)]
    most = sorted(counted, key=lambda item: (-item[1], item[0]))
    return _lines("Errors", [f"{format_count(n):>10}  {safe(key, 120)}" for key, n in most])


def _cost(summary: Summary) -> Table | None:
    cpu, memory = part(summary, "cpu"), part(summary, "memory")
    lines = []
    for role in _ROLES:
        spent = cpu.get(f"{role}_us_per_connection")
        held = memory.get(f"{role}_bytes_per_connection")
        if spent is not None or held is not None:
            line = f"{role:<9} {number(spent, lambda us: format_ns(us * 1000)):>8} CPU"
            lines.append(line + (f", {number(held, format_bytes)} memory" if held else ""))
    kernel = memory.get("kernel_bytes_per_connection")
    if kernel:
        lines.append(f"{'kernel':<9} {number(kernel, format_bytes):>8} memory")
    if cpu.get("sampler_share") is not None:
        share = number(cpu.get("sampler_share"), lambda s: f"{100 * s:.1f}%")
        lines.append(f"{'sampler':<9} {share:>8} of a core")
    return _lines("Cost of one connection", lines)


def _connect_cost(summary: Summary) -> Table | None:
    """connect() against occupancy, for one hop: the verdict's, else the fullest.

    A table of one row compares nothing and is left out.
    """
    tables = {
        str(name): part(summary, "connect_cost", name) for name in part(summary, "connect_cost")
    }
    filled = {
        hop: [row for row in rows(table, "buckets") if row.get("n")]
        for hop, table in tables.items()
    }
    worth = {hop: found for hop, found in filled.items() if len(found) > 1}
    if not worth:
        return None
    named = str(part(summary, "verdict").get("hop"))
    hop = named if named in worth else max(worth, key=lambda name: _fullest(worth[name]))
    return _connect_table(safe(hop, 32), worth[hop], tables[hop].get("unit") == "probes")


def _fullest(found: Sequence[Mapping[str, Any]]) -> float:
    return max((row["to"] for row in found if isinstance(row.get("to"), int | float)), default=0.0)


def _connect_table(hop: str, filled: Sequence[Mapping[str, Any]], probes: bool) -> Table:
    what = "Ports that connect() looks at" if probes else "Time inside connect()"
    table = heading(f"{what} by share of the budget in use, {hop}")
    for title in ("in use", "calls", "p50", "p99", "max", "failed"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in filled:
        share = f"{number(row.get('from'), _percent)}-{number(row.get('to'), _percent)}%"
        form = format_count if probes else format_ns
        times = [number(row.get(key), form) for key in ("p50", "p99", "max")]
        calls, failed = (number(row.get(key), format_count) for key in ("n", "failures"))
        table.add_row(share, calls, *times, failed)
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _doubts(summary: Summary) -> Table | None:
    lines = []
    for doubt in rows(summary, "doubts"):
        line = Text().append(f"{safe(doubt.get('code'), 40)}: ", "yellow")
        line.append(safe(doubt.get("message")))
        if doubt.get("remedy"):
            line.append(f" → {safe(doubt.get('remedy'))}")
        lines.append(line)
    return _lines("Doubts", lines)


def _notes(summary: Summary) -> Table | None:
    found = summary.get("notes")
    if not isinstance(found, Sequence) or isinstance(found, str):
        return None
    return _lines("Notes", [safe(note, 1000) for note in found])
