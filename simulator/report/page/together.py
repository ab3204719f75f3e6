"""What pages of several runs share: their charts laid over each other, their verdicts in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.report.charts.colours import DASHES, KERNEL_DASHES, MODEL_DASHES
from simulator.report.charts.overlay import Drawn, apart, overlays
from simulator.report.charts.story import tell
from simulator.report.page.escape import text
from simulator.report.page.parts import Section, drawing
from simulator.report.page.run_page import charts
from simulator.report.page.verdict import verdict_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.report.charts.story import Story
    from simulator.report.stored import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One of several runs on a page.

    Attributes:
        name: what it is called there, text from outside.
        key: the same as a word of [a-z0-9-] that no other run of the page has.
        found: the run.
        story: what its charts are made from.
    """

    name: str
    key: str
    found: Stored
    story: Story


def named(name: str, key: str, found: Stored) -> Named:
    """A run of the page, with its series worked out."""
    return Named(name=name, key=key, found=found, story=tell(found.run, found.summary))


def worlds(runs: Sequence[Named]) -> str:
    """The verdict of each run, side by side where there is room."""
    boxes = "".join(
        f'<section class="world" aria-label="{text(one.name)}"><h3>{text(one.name)}</h3>'
        f"{verdict_box(one.found.summary, one.story.series)}</section>"
        for one in runs
    )
    return f'<div class="worlds">{boxes}</div>'


def _dashes(runs: Sequence[Named]) -> list[Sequence[str]]:
    """Runs of one engine differ by colour, those of two by their dashes as well."""
    engines = [one.found.run.manifest.get("engine") for one in runs]
    if len(set(engines)) <= 1:
        return [DASHES] * len(runs)
    return [MODEL_DASHES if one == "model" else KERNEL_DASHES for one in engines]


def chart_sections(runs: Sequence[Named]) -> list[Section]:
    """Sections with the charts of all runs, empty ones among them."""
    drawn = [
        Drawn(name=one.name, key=one.key, charts=charts(one.story), dashes=dashes)
        for one, dashes in zip(runs, _dashes(runs), strict=True)
    ]
    over = {chart.name: drawing(chart) for chart in overlays(drawn)}

    def heads(*names: str) -> str:
        return "".join(text for name, text in over.items() if name.startswith(names))

    bodies = (
        ("ports", "The port space", "".join(map(drawing, apart(drawn, "ports-")))),
        ("tuples", "Tuples in use", heads("tuples-")),
        ("connect-cost", "What connect() costs", heads("connect-cost-")),
        ("rates", "Rates", heads("rates", "open")),
        ("latency", "Latency", heads("latency", "percentiles")),
        ("cost", "CPU and memory", heads("cpu", "memory")),
    )
    return [Section(name=name, title=title, body=body) for name, title, body in bodies]
