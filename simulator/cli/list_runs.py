"""`portchurn list`: the stored runs, newest first, with what became of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from simulator.cli.options import results_option
from simulator.errors import ResultsIncomplete

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.store.read import Entry

_HEADINGS: Final = ("started", "scenario", "run", "status", "verdict", "ok", "failed")
_STATUS: Final = {"aborted": "ABORTED", "unreadable": "UNREADABLE"}


@click.command(name="list")
@results_option
@click.option("--last", type=click.IntRange(min=1), help="Only so many of the newest.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="Output form.")
def command(results: Path, last: int | None, output: str) -> None:
    """List stored runs, newest first.

    A run without a summary whose process is gone is ABORTED; what it kept can still be shown.
    """
    from simulator.store.read import list_runs

    found = [_row(entry) for entry in list_runs(results)[:last]]
    if output == "json":
        click.echo(json.dumps(found, indent=1))
    elif not found:
        click.echo(f"No runs in {results}. Start with: portchurn run scenarios/port-wall.yaml")
    else:
        _print(found)


def _row(entry: Entry) -> dict[str, Any]:
    """What is told of one run; counts are None where there is no summary."""
    from simulator.store.read import read_summary

    try:
        summary = read_summary(entry.path) or {}
    except ResultsIncomplete:
        summary = {}
    attempts = summary.get("attempts")
    counts = attempts if isinstance(attempts, dict) else {}
    return {
        "started": entry.started,
        "scenario": entry.scenario,
        "run": entry.run_id,
        "variant": entry.variant,
        "title": entry.title,
        "status": entry.status,
        "verdict": entry.verdict,
        "valid": entry.valid,
        "ok": counts.get("ok"),
        "failed": counts.get("failed"),
        "path": str(entry.path),
    }


def _print(found: list[dict[str, Any]]) -> None:
    from simulator.report.safe_text import DASH, safe

    def told(row: dict[str, Any], name: str) -> str:
        value = row[name]
        if name == "status":
            return _STATUS.get(value, safe(value, 20))
        if name == "verdict" and row["valid"] is False:
            return f"{safe(value, 40)} (not valid)"
        if name == "started":
            return safe(str(value)[:19].replace("T", " "))
        if isinstance(value, int):
            return f"{value:,}"
        return safe(value, 140) if value else DASH

    table = [list(_HEADINGS), *([told(row, name) for name in _HEADINGS] for row in found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        padded = [
            cell.rjust(width) if name in ("ok", "failed") else cell.ljust(width)
            for cell, width, name in zip(line, widths, _HEADINGS, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())
