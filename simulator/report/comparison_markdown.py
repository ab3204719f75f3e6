"""Runs held against each other as Markdown: for a pull request, an issue, a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.report.comparison_text import (
    THE_SAME,
    difference_cells,
    interval_words,
    left_out_lines,
    limit_lines,
    names,
    obstacle_lines,
    series_cells,
    side_cells,
)
from simulator.report.summary_text import rows
from simulator.report.variants_markdown import cell, line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def comparison_markdown(table: Mapping[str, Any]) -> str:
    """The comparison as sections of a page; ends in a line break.

    Args:
        table: a `portchurn.comparison/1` object, with ``limits`` where some were asked for.
    """
    letters = names(table)
    base, *others = letters
    sides = [list(side_cells(side)) for side in rows(table, "sides")]
    differing = difference_cells(table)
    ratios = [f"{name} / {base}" for name in others]
    lines = _table(["", "scenario", "run", "verdict", ""], sides, left=5)
    lines += ["", *(f"- {cell(one)}" for one in obstacle_lines(table))]
    lines += _table(["", "key", *letters], differing, left=9) if differing else [THE_SAME]
    lines += ["", *_table(["series", *letters, *ratios], series_cells(table), left=1)]
    lines += ["", interval_words(table)]
    lines += ["", *(_limit(failed, text) for failed, text in limit_lines(table))]
    lines += [f"- {cell(one)}" for one in left_out_lines(table)]
    return "\n".join(lines).rstrip() + "\n"


def _limit(failed: bool, text: str) -> str:
    return f"- {'FAILED' if failed else 'passed'}: {cell(text)}"


def _table(head: Sequence[str], found: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """A table of which so many columns stand to the left; empty columns stay, rows line up."""
    rule = ["---" if index < left else "---:" for index in range(len(head))]
    return [line(head), line(rule), *(line([cell(one) for one in row]) for row in found)]
