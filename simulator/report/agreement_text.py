"""Model and kernel side by side, as a table for people and as markdown for a calibration card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.report.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.measure.agreement import Agreement

_HEAD = ("series", "kernel", "model", "error", "target")


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"


def _cells(one: Agreement) -> tuple[str, ...]:
    if one.target is None:
        target = "–"
    else:
        target = f"{_share(one.target)} {'holds' if one.holds else 'MISSED'}"
    return (safe(one.name, 80), _amount(one.kernel), _amount(one.model), _share(one.error), target)


def agreement_text(title: str, found: Sequence[Agreement]) -> str:
    """A table in plain text, one line a series."""
    table = [_HEAD, *map(_cells, found)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
    lines = [safe(title, 200)]
    for row in table:
        name, *numbers = row
        right = "  ".join(
            cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)
        )
        lines.append(f"  {name.ljust(widths[0])}  {right}")
    return "\n".join(lines) + "\n"


def agreement_markdown(title: str, found: Sequence[Agreement]) -> str:
    """The same as one section of a card."""
    rows = [f"| {' | '.join(_cells(one))} |" for one in found]
    head = f"| {' | '.join(_HEAD)} |\n|---|--:|--:|--:|--:|"
    return f"### {safe(title, 200)}\n\n{head}\n" + "\n".join(rows) + "\n"
