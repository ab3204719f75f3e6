"""Pieces of a page: charts, tables, lists, sections. What goes in is text; what comes out is safe.

A chart stands there twice: as SVG, which needs nothing, and as data, which the page's script draws
in its place once a reader scrolls there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.report.charts.figure import figure
from simulator.report.charts.svg import svg
from simulator.report.page.escape import block, data, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.report.charts.chart import Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page with a heading.

    Attributes:
        name: a word of [a-z0-9-] that no other section of the page has; links go there.
        title: its heading, text.
        body: its markup, made by the functions here; "" leaves the section out.
    """

    name: str
    title: str
    body: str


def section(part: Section) -> str:
    """A section as markup, "" when there is nothing in it."""
    if not part.body:
        return ""
    name = text(part.name)
    return (
        f'<section id="{name}" aria-labelledby="{name}-h">'
        f'<h2 id="{name}-h">{text(part.title)}</h2>\n{part.body}\n</section>\n'
    )


def drawing(chart: Chart | None) -> str:
    """A chart as markup, "" for none."""
    if chart is None:
        return ""
    name = text(chart.name)
    return (
        f'<figure class="chart" data-chart="{name}" aria-labelledby="{name}-c">'
        f'<figcaption id="{name}-c"><strong>{text(chart.title)}</strong> '
        f"<span>{text(chart.says)}</span></figcaption>"
        f'<div class="still">{svg(chart, alone=False)}</div>'
        f'<div class="drawn" hidden></div>{data(f"data-{name}", figure(chart))}</figure>\n'
    )


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], *, wide: bool = False
) -> str:
    """A table whose first column names its rows, "" without rows.

    Args:
        caption: what it holds.
        head: titles of the columns.
        rows: cells; None is a dash.
        wide: cells are words, not numbers: set to the left.
    """
    lines = ["<tr>" + _row_cells(row) + "</tr>" for row in rows]
    if not lines:
        return ""
    titles = "".join(f'<th scope="col">{text(one)}</th>' for one in head)
    kind = ' class="words"' if wide else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table{kind}><caption>{text(caption)}</caption>"
        f"<thead><tr>{titles}</tr></thead><tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>"
    )


def _row_cells(row: Sequence[object]) -> str:
    first, *others = ("–" if cell is None else cell for cell in row)
    cells = "".join(f"<td>{text(cell)}</td>" for cell in others)
    return f'<th scope="row">{text(first)}</th>{cells}'


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and what they are; what is None or "" is left out."""
    found = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>"
        for name, value in pairs
        if value is not None and value != ""
    )
    return f'<dl class="facts">{found}</dl>' if found else ""


def listing(items: Iterable[str], *, ordered: bool = False) -> str:
    """A list of sentences, "" without one."""
    found = "".join(f"<li>{text(item)}</li>" for item in items)
    kind = "ol" if ordered else "ul"
    return f"<{kind}>{found}</{kind}>" if found else ""


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph; kind is a class of the page's style."""
    return f'<p class="{text(kind)}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def folded(title: str, body: str, *, is_open: bool = False) -> str:
    """Markup behind a line that opens it, "" when there is nothing in it."""
    if not body:
        return ""
    state = " open" if is_open else ""
    return f"<details{state}><summary>{text(title)}</summary>{body}</details>"


def listing_text(value: str, label: str) -> str:
    """Text as it is in its file."""
    return f'<pre tabindex="0" role="region" aria-label="{text(label)}">{block(value)}</pre>'
