"""`portchurn show`: the summary of a stored run, also of one that did not come to its end."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from simulator.cli.options import results_option
from simulator.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="show")
@click.argument("run", default="latest")
@results_option
@click.option(
    "--output",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    help="Output form; csv is the run over time, ten lines a second.",
)
@click.option("--live", is_flag=True, help="Serve a page of a run under way, until it ends.")
def command(run: str, results: Path, output: str, *, live: bool) -> None:
    """Print the summary of a stored run, or serve the page of one that is under way.

    RUN is `latest` (the default), a run's id, a scenario's name (its newest run) or the path of
    a run's folder.
    """
    from simulator.report.stored import LEADS, summary_of
    from simulator.store.read import entry, resolve

    folder = resolve(results, run)
    if live:
        from simulator.cli.live_page import show_run, yield_to_others

        if output != "text":
            raise UsageError("--live serves a page; --output is for a summary that is printed")
        yield_to_others()
        asyncio.run(show_run(folder))
        return
    if output == "csv":
        click.echo(_series(folder), nl=False)
        return
    status = entry(folder).status
    summary = summary_of(folder)
    if output == "json":
        click.echo(json.dumps({"status": status, "path": str(folder), **summary}, indent=1))
        return
    from simulator.report.summary_text import summary_text

    if status in LEADS:
        click.echo(LEADS[status])
    click.echo(
        summary_text(
            summary,
            path=str(folder),
            width=shutil.get_terminal_size((100, 24)).columns,
            color=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        ),
        nl=False,
    )


def _series(folder: Path) -> str:
    from simulator.measure.series import time_series
    from simulator.report.series_csv import series_csv
    from simulator.store.read import load_run

    return series_csv(time_series(load_run(folder)))
