"""The page of one run, from its folder alone: top to bottom, what a reader asks next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.report.charts.backends import leases, picks
from simulator.report.charts.connect_cost import connect_cost
from simulator.report.charts.latencies import latency_over_time, percentiles
from simulator.report.charts.occupancy import occupancy
from simulator.report.charts.port_space import port_spaces
from simulator.report.charts.rates import failures, open_connections, rates
from simulator.report.charts.resources import resources
from simulator.report.charts.story import tell
from simulator.report.page import tables
from simulator.report.page.document import document, library, library_name
from simulator.report.page.escape import text
from simulator.report.page.parts import Section, drawing, paragraph
from simulator.report.page.verdict import remedies, trust, verdict_box
from simulator.report.page.writing import write_whole
from simulator.report.stored import LEADS, stored

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.report.charts.chart import Chart
    from simulator.report.charts.story import Story
    from simulator.report.stored import Stored

REPORT: Final = "report.html"


def run_page(found: Stored, *, shared: str | None = None) -> str:
    """The page of a run as text.

    Args:
        found: the run.
        shared: relative address of the chart script; None = inside the page.
    """
    beside = found.beside
    modelled = None if beside is None else tell(beside.run, beside.summary)
    story = tell(found.run, found.summary, modelled)
    title = str(found.run.manifest.get("title", ""))
    return document(title, _lead(found, story), sections(found, story), shared=shared)


def charts(story: Story) -> list[Chart]:
    """Every chart of a run, in the order of its page."""
    found = [
        *port_spaces(story),
        *occupancy(story),
        *connect_cost(story),
        rates(story),
        open_connections(story),
        latency_over_time(story),
        percentiles(story),
        failures(story),
        picks(story),
        leases(story),
        *resources(story),
    ]
    return [chart for chart in found if chart is not None]


def sections(found: Stored, story: Story) -> list[Section]:
    """The sections of a run's page, in their order; some may be empty."""
    summary, manifest = found.summary, found.run.manifest
    drawn = {chart.name: drawing(chart) for chart in charts(story)}

    def named(*heads: str) -> str:
        return "".join(text for name, text in drawn.items() if name.startswith(heads))

    bodies = (
        ("ports", "The port space", named("ports-")),
        ("tuples", "Tuples: budget and use", named("tuples-") + tables.tuples(summary)),
        ("connect-cost", "What connect() costs", named("connect-cost-")),
        ("rates", "Rates", named("rates", "open") + tables.phases(summary)),
        ("latency", "Latency", named("latency", "percentiles") + tables.latencies(summary)),
        ("errors", "Errors", named("errors") + tables.errors(summary)),
        ("backends", "Backends", named("picks", "leases") + tables.moves(summary)),
        ("cost", "CPU and memory", tables.costs(summary) + named("cpu", "memory")),
        ("model", "Model and kernel", tables.agreement(found.errors)),
        ("environment", "Environment", tables.surroundings(summary, manifest)),
        ("scenario", "Scenario and command", tables.scenario(manifest)),
    )
    return [
        remedies(summary),
        trust(summary),
        *(Section(name=name, title=title, body=body) for name, title, body in bodies),
    ]


def _lead(found: Stored, story: Story) -> str:
    manifest = found.run.manifest
    title = str(manifest.get("title", ""))
    variant = manifest.get("variant")
    if variant:
        title = f"{title} [{variant}]"
    under = " · ".join(
        str(one)
        for one in (
            manifest.get("scenario"),
            manifest.get("id"),
            f"{manifest.get('engine')} engine",
            manifest.get("started"),
        )
        if one
    )
    box = verdict_box(found.summary, story.series, LEADS.get(found.status, ""))
    return f"<h1>{text(title)}</h1>{paragraph(under, 'under')}{box}"


def write_run_page(folder: Path, *, shared: bool = False) -> Path:
    """Write ``report.html`` into a run's folder, in one step.

    Args:
        folder: the run.
        shared: put the chart script beside the run, once for all runs of the scenario.

    Raises:
        UsageError: it is no run.
        ResultsIncomplete: its records are damaged.
        OSError: the disk would not take it.
    """
    address = None
    if shared:
        address = f"../{library_name()}"
        place = folder.parent / library_name()
        if not place.exists():
            write_whole(place, library())
    path = folder / REPORT
    write_whole(path, run_page(stored(folder), shared=address))
    return path
