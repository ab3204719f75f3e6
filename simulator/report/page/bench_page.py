"""The page of a bench: peers side by side, or cost against work with the law, and every number."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from simulator.bench.catalogue import BENCHES, RELAY, RELAY_QUESTION
from simulator.report.charts.ladder import beside_ladders, in_words, ladder_charts, ladders
from simulator.report.charts.measured_unit import measured
from simulator.report.charts.peers import ERRORS, peer_charts
from simulator.report.page.document import document, library, library_name
from simulator.report.page.escape import text
from simulator.report.page.parts import (
    Section,
    drawing,
    facts,
    folded,
    listing,
    listing_text,
    paragraph,
    table,
)
from simulator.report.page.run_page import REPORT
from simulator.report.page.writing import write_whole
from simulator.report.summary_text import part
from simulator.store.read_bench import read_bench
from simulator.theory.growth import CONSTANT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from simulator.report.charts.ladder import Ladder
    from simulator.store.read_bench import BenchRow, StoredBench

#: Facts of a machine without which a time says nothing.
_MACHINE: Final = ("cpu_model", "cores", "kernel", "python", "memory_bytes", "load_1min")


#: A target of the bench in the table that was printed.
_TARGET: Final = "target: "
#: From this ratio of the last step to the first on, a growth without a law is named above all.
_ROSE: Final = 3.0


def bench_page(found: StoredBench, *, shared: str | None = None) -> str:
    """The page of a stored bench as text.

    Args:
        found: as `store.read_bench` reads it.
        shared: relative address of the chart script; None = inside the page.
    """
    steps = ladders(found.rows)
    sections = [
        Section(name="growth", title="Cost against work", body=_growth(steps)),
        Section(name="peers", title="Side by side", body=_peers(found.rows)),
        Section(name="numbers", title="Every number", body=_numbers(found, steps)),
        Section(name="environment", title="Machine and command", body=_surroundings(found)),
    ]
    title = f"Bench: {found.manifest.get('bench')}"
    return document(title, _lead(found, title, steps), sections, shared=shared)


def _lead(found: StoredBench, title: str, steps: Sequence[Ladder]) -> str:
    manifest = found.manifest
    under = " · ".join(
        str(one)
        for one in (
            manifest.get("id"),
            f"portchurn {manifest.get('version')}",
            manifest.get("started"),
            part(manifest, "environment").get("cpu_model"),
        )
        if one
    )
    failed = [row for row in found.rows if row.metric == ERRORS and (row.high or 0) > 0]
    kind = "verdict" if failed else "verdict ok"
    question = {**BENCHES, RELAY: RELAY_QUESTION}.get(str(manifest.get("bench")), "")
    told = headlines(found.rows, steps)
    lines = [paragraph(line, "say") for line in told or [question]]
    if failed:
        who = ", ".join(dict.fromkeys(row.subject for row in failed))
        said = f"Not valid: work failed in some round ({who}), so the subjects did not do the same."
        lines.append(paragraph(said, "doubt"))
    targets = [line for line in found.table.splitlines() if line.startswith(_TARGET)]
    lines += [paragraph(line) for line in (*absent(found.rows), *targets)]
    asked = paragraph(question) if question and told else ""
    return (
        f"<h1>{text(title)}</h1>{paragraph(under, 'under')}{asked}"
        f'<div class="{kind}">{"".join(lines)}</div>'
    )


def headlines(rows: Sequence[BenchRow], steps: Sequence[Ladder]) -> list[str]:
    """What a reader should take away: laws worse than constant, or who costs how much of whom."""
    laws = [(one, law) for one in steps if (law := one.law) is not None]
    if laws:
        rest = [law.sentence(one.name, one.axis) for one, law in laws if law.word != CONSTANT]
        constant = len(laws) - len(rest)
        told = [f"{constant} of {len(laws)} costs stay constant while the work grows."]
        rest += [f"{in_words(one)} with {one.axis}" for one in steps if _rose(one)]
        return told + [f"{sentence[0].upper()}{sentence[1:]}." for sentence in rest]
    ratios = [
        row
        for row in rows
        if row.ratio is not None and row.subject == "own" and row.against not in ("", "own")
    ]
    first = {(row.bench, row.against): row for row in reversed(ratios)}
    return [
        f"{row.bench}: our {row.metric} is {row.ratio:.2f} of {row.against}'s{_between(row)}."
        for row in reversed(first.values())
    ]


def _rose(one: Ladder) -> bool:
    """Whether a time or size that has no law of its own grew so much that it must be said."""
    is_rate = measured(one.unit).unit == "rate"
    return one.law is None and not is_rate and one.values[-1] > _ROSE * one.values[0]


def _between(row: BenchRow) -> str:
    if row.ratio_low is None or row.ratio_high is None or row.n < 2:
        return ""
    return f", between {row.ratio_low:.2f} and {row.ratio_high:.2f} in {row.n} rounds"


def absent(rows: Sequence[BenchRow]) -> list[str]:
    """A sentence that names the peers which were not there."""
    names = list(dict.fromkeys(row.subject for row in rows if row.version is None))
    return [f"Not installed here, and so not measured: {', '.join(names)}."] if names else []


def _growth(steps: Sequence[Ladder]) -> str:
    return "".join(map(drawing, ladder_charts(steps)))


def _peers(rows: Sequence[BenchRow]) -> str:
    return "".join(map(drawing, peer_charts(rows)))


def _numbers(found: StoredBench, steps: Sequence[Ladder]) -> str:
    rest = [
        row
        for row in beside_ladders(found.rows)
        if row.median is not None and (row.metric != ERRORS or row.high)
    ]
    shown = table(
        "Medians over the rounds, lowest and highest",
        ("subject", "bench", "metric", "median", "low", "high", "unit", "ratio"),
        [_cells(rows) for rows in _together(rest)],
    )
    whole = listing_text(found.table, "the table as it was printed") if found.table else ""
    return "".join(_ladder_tables(steps)) + shown + folded("The table as it was printed", whole)


def _together(rows: Sequence[BenchRow]) -> list[list[BenchRow]]:
    """Rows of one number, of which there is one for each subject that ratios are formed with."""
    found: dict[tuple[str, str, str], list[BenchRow]] = {}
    for row in rows:
        found.setdefault((row.bench, row.metric, row.subject), []).append(row)
    return list(found.values())


def _cells(rows: Sequence[BenchRow]) -> tuple[object, ...]:
    row = rows[0]
    name = f"{row.subject} {row.version or ''}".strip()
    numbers = (amount(one) for one in (row.median, row.low, row.high))
    ratios = ", ".join(filter(None, map(_ratio, rows)))
    return (name, row.bench, row.metric, *numbers, row.unit, ratios or None)


def _ratio(row: BenchRow) -> str:
    if row.ratio is None or row.subject == row.against:
        return ""
    between = ""
    if row.n > 1 and row.ratio_low is not None and row.ratio_high is not None:
        between = f" ({row.ratio_low:.2f}..{row.ratio_high:.2f})"
    return f"{row.ratio:.2f}{between} of {row.against}'s"


def amount(value: float | None) -> str | None:
    """Three digits or more; None for none."""
    if value is None:
        return None
    return f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.3g}"


def _ladder_tables(steps: Sequence[Ladder]) -> Iterator[str]:
    for axis in dict.fromkeys(one.axis for one in steps):
        mine = [one for one in steps if one.axis == axis]
        work = sorted({one for step in mine for one in step.work})
        head = ("", *(f"{one:,.0f}" for one in work), "law")
        yield table(axis, head, [_ladder_cells(one, work) for one in mine])


def _ladder_cells(one: Ladder, work: Sequence[float]) -> tuple[object, ...]:
    at = dict(zip(one.work, one.values, strict=True))
    law = one.law
    told = None
    if law is not None and law.exponent is not None:
        told = f"work^{law.exponent:.2f}: {law.word}"
    return (f"{one.name}, {one.unit}", *(amount(at.get(step)) for step in work), told)


def _surroundings(found: StoredBench) -> str:
    manifest = found.manifest
    environment = part(manifest, "environment")
    command = manifest.get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    again = listing_text(shlex.join(["portchurn", *words]), "the command") if words else ""
    machine = facts((name, environment.get(name)) for name in _MACHINE)
    return machine + _options(manifest) + again


def _options(manifest: Mapping[str, Any]) -> str:
    given = part(manifest, "options")
    told = listing(f"{name}: {value}" for name, value in given.items() if value is not None)
    return folded("Options", told)


def write_bench_page(folder: Path, *, shared: bool = False) -> Path:
    """Write ``report.html`` into a bench's folder.

    Args:
        folder: the bench.
        shared: put the chart script beside the folder instead of into the page.

    Raises:
        UsageError: it is no bench.
        ResultsIncomplete: its files are damaged.
        OSError: the disk would not take it.
    """
    found = read_bench(folder)
    if shared and not (folder.parent / library_name()).exists():
        write_whole(folder.parent / library_name(), library())
    page = bench_page(found, shared=f"../{library_name()}" if shared else None)
    write_whole(folder / REPORT, page)
    return folder / REPORT
