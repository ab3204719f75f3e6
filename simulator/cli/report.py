"""`portchurn report`: the page of a stored run again, from its folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simulator.cli.options import results_option
from simulator.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="report")
@click.argument("run", default="latest")
@results_option
@click.option(
    "--shared-assets",
    is_flag=True,
    help="Keep the chart script beside the run, once for all, instead of inside each page.",
)
@click.option("--svg", "chart", metavar="CHART", help="Print one chart as SVG instead.")
def command(run: str, results: Path, *, shared_assets: bool, chart: str | None) -> None:
    """Write report.html into a run's folder: one file that opens anywhere and needs no network.

    RUN is `latest` (the default), a run's id, a scenario's name (its newest run) or the path of
    a run's folder. Of a bench's folder it is the page of the bench, and of the folder with the
    runs of a scenario the page of its variants.
    """
    from simulator.store.read import resolve

    if chart is not None:
        click.echo(_svg(resolve(results, run), chart), nl=False)
        return
    from simulator.cli.report_folder import page_of_folder
    from simulator.report.page.run_page import write_run_page

    try:
        path = page_of_folder(run, results, shared=shared_assets) or write_run_page(
            resolve(results, run), shared=shared_assets
        )
    except OSError as error:
        raise UsageError(f"the page cannot be written: {error.strerror}") from None
    click.echo(str(path))


def _svg(folder: Path, name: str) -> str:
    from simulator.report.charts.story import tell
    from simulator.report.charts.svg import svg
    from simulator.report.page.run_page import charts
    from simulator.report.stored import stored

    found = stored(folder)
    drawn = {chart.name: chart for chart in charts(tell(found.run, found.summary))}
    if name not in drawn:
        raise UsageError(f"the run has no chart named {name}; it has: {', '.join(drawn)}")
    return svg(drawn[name])
