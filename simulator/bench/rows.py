"""Rows of a bench: one metric of one subject over all rounds, and its ratio to another subject.

A ratio is formed within a round and never across rounds, since the machine may be slower in one
round than in the next, for all subjects alike. What is told is the middle one of them, with the
lowest and the highest.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from simulator.store.read_bench import BenchRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The metric that every bench has: above 0 its subjects did not do the same work.
ERRORS: Final = "errors"
#: What a bench finds is what is stored of it.
Row = BenchRow


def order_of(round_number: int, subjects: Sequence[str]) -> list[str]:
    """The subjects of one round; each comes first as often as the others."""
    first = round_number % len(subjects)
    return [*subjects[first:], *subjects[:first]]


def summarise(
    bench: str,
    results: Mapping[str, Sequence[Mapping[str, float]]],
    version_of: Mapping[str, str | None],
    units: Mapping[str, str],
    against: str,
) -> list[Row]:
    """Rows for each subject and metric; one that is not installed has rows without values.

    Args:
        bench: name of the bench.
        results: by subject, the values of each round by metric; a metric may be missing.
        version_of: every subject there could be, with its version or None.
        units: unit of each metric, in the order of the rows.
        against: the subject that ratios are formed with, "" for none.
    """
    return [
        _row(bench, subject, version, metric, unit, results, against)
        for subject, version in version_of.items()
        for metric, unit in units.items()
    ]


def _row(
    bench: str,
    subject: str,
    version: str | None,
    metric: str,
    unit: str,
    results: Mapping[str, Sequence[Mapping[str, float]]],
    against: str,
) -> Row:
    values = _values(results.get(subject, ()), metric)
    base = _values(results.get(against, ()), metric)
    ratios = [value / other for value, other in zip(values, base, strict=False) if other > 0]
    return Row(
        bench=bench,
        subject=subject,
        version=version,
        metric=metric,
        unit=unit,
        median=statistics.median(values) if values else None,
        low=min(values, default=None),
        high=max(values, default=None),
        n=len(values),
        against=against,
        ratio=statistics.median(ratios) if ratios else None,
        ratio_low=min(ratios, default=None),
        ratio_high=max(ratios, default=None),
    )


def _values(rounds: Sequence[Mapping[str, float]], metric: str) -> list[float]:
    return [float(one[metric]) for one in rounds if metric in one]


def has_errors(rows: Sequence[Row]) -> bool:
    """Whether any round had a failed connection; then nothing here is worth comparing."""
    return any(row.metric == ERRORS and (row.high or 0) > 0 for row in rows)


def table(rows: Sequence[Row]) -> str:
    """The rows for the screen: one line a metric, in the order of the subjects.

    Subjects that are not installed are one line each; so a reader sees who was not there.
    """
    lines = [f"{'subject':26}{'metric':24}{'median':>11}{'low':>11}{'high':>11}  unit"]
    against = rows[0].against if rows else ""
    if against:
        lines[0] = f"{lines[0]:102}against {against}"
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = [row for row in rows if row.subject == subject]
        if mine[0].version is None:
            lines.append(f"{subject}: not installed")
            continue
        name = f"{subject} {mine[0].version}"
        for row in mine:
            if row.median is None:
                continue
            lines.append(f"{name:26}{_line(row)}".rstrip())
            name = ""
    return "\n".join(lines)


def _line(row: Row) -> str:
    numbers = "".join(f"{_number(value):>11}" for value in (row.median, row.low, row.high))
    text = f"{row.metric:24}{numbers}  {row.unit}"
    if row.ratio is None or row.subject == row.against:
        return text
    return f"{text:76}{row.ratio:.2f} ({row.ratio_low:.2f}-{row.ratio_high:.2f})"


def _number(value: float | None) -> str:
    """Three digits or more, without a tail that says nothing."""
    if value is None:
        return "-"
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.1f}"
