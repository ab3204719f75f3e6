"""The page of a comparison: what differs, by how much, how sure that is, charts overlaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.measure.repeats import NO_DIFFERENCE
from simulator.report.comparison_text import (
    THE_SAME,
    difference_cells,
    interval_words,
    left_out_lines,
    limit_lines,
    names,
    obstacle_lines,
    side_cells,
)
from simulator.report.metric_form import form_of, interval_text, times
from simulator.report.page.document import document
from simulator.report.page.escape import text
from simulator.report.page.parts import Section, listing, paragraph, table
from simulator.report.page.together import chart_sections, worlds
from simulator.report.summary_text import number, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.report.page.together import Named


def comparison_page(
    compared: Mapping[str, Any], runs: Sequence[Named], *, shared: str | None = None
) -> str:
    """The page as text.

    Args:
        compared: a `portchurn.comparison/1` object, with ``limits`` where some were asked for.
        runs: one of each side, the base first, named by its letter.
        shared: relative address of the chart script; None = inside the page.
    """
    letters = names(compared)
    what = dict.fromkeys(str(side.get("scenario") or "") for side in rows(compared, "sides"))
    title = f"{', '.join(what)}: {' and '.join(letters[1:])} against {letters[0]}"
    sides = table(
        "Compared; the first is the base",
        ("", "scenario", "run", "verdict", ""),
        [side_cells(side) for side in rows(compared, "sides")],
        wide=True,
    )
    sections = [
        Section(name="differs", title="What differs besides the numbers", body=_differs(compared)),
        Section(name="series", title="By how much, and how sure", body=_series(compared)),
        Section(name="verdicts", title="Verdicts", body=worlds(runs)),
        *chart_sections(runs),
    ]
    lead = f"<h1>{text(title)}</h1>{sides}{_headline(compared)}"
    return document(f"Comparison: {title}", lead, sections, shared=shared)


def _headline(compared: Mapping[str, Any]) -> str:
    """What differs, one sentence a side; above it what was overruled, below it the limits."""
    warnings = "".join(paragraph(line, "doubt") for line in obstacle_lines(compared))
    said = "".join(paragraph(line, "say") for line in changes(compared))
    limits = limit_lines(compared)
    checks = "".join(
        f'<li class="{"breaks" if is_failed else "holds"}">{text(line)}</li>'
        for is_failed, line in limits
    )
    listed = f'<ul class="checks">{checks}</ul>' if checks else ""
    failed = any(is_failed for is_failed, _ in limits)
    kind = "verdict" if failed or warnings else "verdict ok"
    return f'<div class="{kind}">{warnings}{said}{listed}</div>'


def changes(compared: Mapping[str, Any]) -> list[str]:
    """For each later side, a sentence with every metric that its interval shows to differ."""
    base, *others = names(compared)
    found = []
    for name in others:
        told = [
            f"{one.get('metric')} {ratio['says']} ({number(ratio.get('ratio'), times)})"
            if ratio.get("ratio") is not None
            else f"{one.get('metric')} {ratio['says']}"
            for one in rows(compared, "series")
            for ratio in rows(one, "ratios")
            if ratio.get("side") == name and ratio.get("says") not in (None, NO_DIFFERENCE)
        ]
        what = ", ".join(told) if told else NO_DIFFERENCE
        found.append(f"{name} against {base}: {what}.")
    return found


def _differs(compared: Mapping[str, Any]) -> str:
    cells = difference_cells(compared)
    if not cells:
        return paragraph(THE_SAME)
    head = ("place", "key", *names(compared))
    return table("Differences", head, cells, wide=True)


def _series(compared: Mapping[str, Any]) -> str:
    base, *others = names(compared)
    tables = "".join(
        table(
            f"{name} against {base}",
            ("", base, name, f"{name} / {base}", "interval", ""),
            [_row(one, name, index) for one in rows(compared, "series")],
        )
        for index, name in enumerate(others, 1)
    )
    left_out = listing(left_out_lines(compared))
    return f"{tables}{paragraph(interval_words(compared), 'under')}{left_out}"


def _row(one: Mapping[str, Any], name: str, index: int) -> tuple[object, ...]:
    metric = str(one.get("metric"))
    values = list(one.get("values") or ())
    ratio = next((row for row in rows(one, "ratios") if row.get("side") == name), {})
    ends = (values[0], values[index]) if index < len(values) else (None, None)
    return (
        metric,
        *(number(value, form_of(metric)) for value in ends),
        number(ratio.get("ratio"), times),
        interval_text(ratio.get("interval"), times) or None,
        ratio.get("says") or "",
    )
