"""Variants of one scenario as a Markdown table, for pages: a row each, a column for what differs.

What is the same in all of them is said once above the table, so that the table fits on a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.report.loop_text import mixed_loops
from simulator.report.safe_text import DASH
from simulator.report.variants_text import comparison, name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Characters that would end a cell or begin markup.
_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\|`*_<>[]"})


def variants_markdown(summaries: Sequence[Mapping[str, Any]]) -> str:
    """The table as text that ends in a line break.

    Args:
        summaries: `portchurn.summary/1` objects of two variants or more, in the scenario's order.
    """
    told = [row for row in comparison(summaries) if any(value != DASH for value in row[1])]
    same = [(title, values[0]) for title, values in told if len(set(values)) == 1]
    columns = [(title, values) for title, values in told if len(set(values)) > 1]
    lines = []
    if mixed := mixed_loops(summaries):
        lines += [mixed, ""]
    if same:
        lines += [f"The same in all: {', '.join(f'{title} {value}' for title, value in same)}.", ""]
    lines.append(line(["variant", *(title for title, _ in columns)]))
    lines.append(line(["---", *("---:" for _ in columns)]))
    for index, one in enumerate(summaries):
        lines.append(line([cell(name(one, index)), *(values[index] for _, values in columns)]))
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """A text that neither ends a cell nor begins markup."""
    return text.translate(_SPECIAL)


def line(cells: Sequence[str]) -> str:
    """One row of a table."""
    return f"| {' | '.join(cells)} |"
