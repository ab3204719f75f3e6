"""Stored runs held against each other: what `portchurn compare` does with folders and run ids."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import click

from simulator.errors import (
    EXIT_INCOMPLETE,
    EXIT_NOT_VALID,
    EXIT_OK,
    EXIT_THRESHOLD,
    EXIT_USAGE,
    UsageError,
    worst_exit_code,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.measure.blocks import Blocks
    from simulator.measure.change_limits import ChangeLimit
    from simulator.measure.comparable import Obstacle
    from simulator.measure.comparison import Member, Side
    from simulator.store.read import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How runs are to be compared.

    Attributes:
        variant: only runs of this variant.
        force: compare also what is not comparable.
        fail_if: limits of `change_limits`.
        output: ``text``, ``json`` or ``markdown``.
        page: where to write the page, None for none.
    """

    variant: str | None
    force: bool
    fail_if: Sequence[str]
    output: str
    page: Path | None


def compare_runs(names: Sequence[str], results: Path, asked: Asked) -> int:
    """Hold stored runs against the first of them and print the table; the exit code.

    Args:
        names: what each side is: a run, or a folder with the runs of a series.
        results: the folder in which run ids are looked up.
        asked: how.

    Raises:
        UsageError: a side or a limit is not what it should be, or the page cannot be written.
    """
    from simulator.measure.change_limits import breaches
    from simulator.measure.comparison import compare, obstacles

    limits = _limits(asked.fail_if)
    if not 2 <= len(names) <= len(ascii_uppercase):
        raise UsageError("a comparison needs two runs at least, such as: compare RUN OTHER-RUN")
    sides = [
        _side(letter, name, results, asked.variant)
        for letter, name in zip(ascii_uppercase, names, strict=False)
    ]
    folders = {tuple(Path(one.path).resolve() for one in side.members) for side in sides}
    if len(folders) < len(sides):
        raise UsageError("two of the sides are the same runs; name another")
    found = obstacles(sides)
    if found and not asked.force:
        return _refuse(found)
    table = compare(sides, seed=_seed(sides[0]))
    table["limits"] = breaches(limits, sides, table)
    _print(table, asked.output)
    if asked.page is not None:
        _write_page(table, sides, asked.page)
    if not limits:
        return EXIT_OK
    codes = [_code(one) for one in found]  # what is not valid passes no limit
    codes += [EXIT_THRESHOLD for one in table["limits"] if one["failed"]]
    return worst_exit_code(codes)


def _write_page(table: dict[str, Any], sides: Sequence[Side], page: Path) -> None:
    """The charts are those of a side's only run, or of the newest that counts of a series."""
    from simulator.report.page.comparison_page import comparison_page
    from simulator.report.page.together import named
    from simulator.report.page.writing import write_whole
    from simulator.report.stored import stored

    chosen = [[one for one in side.members if not one.left_out][-1] for side in sides]
    runs = [
        named(side.name, side.name.lower(), stored(Path(one.path)))
        for side, one in zip(sides, chosen, strict=True)
    ]
    try:
        write_whole(page, comparison_page(table, runs))
    except OSError as error:
        raise UsageError(f"{page} cannot be written: {error.strerror}") from None
    click.echo(f"Page: {page}", err=True)


def _limits(texts: Sequence[str]) -> list[ChangeLimit]:
    from simulator.measure.change_limits import parse_change_limit

    found = []
    for text in texts:
        try:
            found.append(parse_change_limit(text))
        except ValueError as error:
            raise UsageError(f"--fail-if '{text}' {error}") from None
    return found


def _seed(base: Side) -> int:
    seed = base.usable[0].get("seed")
    return seed if isinstance(seed, int) else 0


def _side(letter: str, name: str, results: Path, variant: str | None) -> Side:
    """One column; in a series what cannot count is left out, a single run keeps its obstacle."""
    from simulator.measure.comparison import Side
    from simulator.store.runs_below import runs_of

    entries = runs_of(results, name, variant)
    members = [_member(one) for one in entries]
    single = len(members) == 1
    if all(one.left_out for one in members) and not single:
        reasons = "; ".join(dict.fromkeys(why for one in members for why in one.left_out))
        raise UsageError(f"{name} holds no run that may be part of a number: {reasons}")
    return Side(
        name=letter,
        title=name,
        members=tuple(_kept(one) for one in members) if single else tuple(members),
        blocks=_blocks(entries[0].path) if single else None,
        obstacles=tuple(_against(letter, entries[0], members[0])) if single else (),
    )


def _member(one: Entry) -> Member:
    from simulator.measure.comparison import Member
    from simulator.measure.repeats import reasons_to_leave_out
    from simulator.measure.summary import summarize
    from simulator.store.read import load_run, read_manifest, read_summary

    version = read_manifest(one.path).get("version")
    summary = read_summary(one.path)
    if summary is None:
        summary = summarize(load_run(one.path))
        reasons = [f"the run is {one.status} and has no summary"]
    else:
        reasons = reasons_to_leave_out(summary)
    return Member(
        path=str(one.path),
        summary={**summary, "version": version},
        left_out=tuple(reasons),
    )


def _kept(member: Member) -> Member:
    return replace(member, left_out=())


def _blocks(folder: Path) -> Blocks | None:
    """The blocks of a run; None of one that kept counts in place of rows."""
    from simulator.measure.blocks import cut
    from simulator.store.read import load_run

    run = load_run(folder)
    return cut(run) if run.folded is None else None


def _against(letter: str, one: Entry, member: Member) -> list[Obstacle]:
    from simulator.measure.comparable import INCOMPLETE, NOT_VALID, Obstacle

    code = NOT_VALID if one.status == "complete" else INCOMPLETE
    return [
        Obstacle(code=code, side=letter, message=f"{letter}: {reason}")
        for reason in member.left_out
    ]


def _code(obstacle: Obstacle) -> int:
    from simulator.measure.comparable import INCOMPLETE, NOT_VALID

    return {INCOMPLETE: EXIT_INCOMPLETE, NOT_VALID: EXIT_NOT_VALID}.get(obstacle.code, EXIT_USAGE)


def _refuse(found: Sequence[Obstacle]) -> int:
    from simulator.report.safe_text import safe

    click.echo("Not comparable:", err=True)
    for one in found:
        click.echo(f"  {safe(one.message, 1000)}", err=True)
    click.echo("Compare them all the same with --force.", err=True)
    return worst_exit_code([_code(one) for one in found])


def _print(table: dict[str, Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(table, indent=1))
        return
    if output == "markdown":
        from simulator.report.comparison_markdown import comparison_markdown

        click.echo(comparison_markdown(table), nl=False)
        return
    from simulator.report.comparison_text import comparison_text

    width = shutil.get_terminal_size((100, 24)).columns
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    click.echo(comparison_text(table, width=width, color=color), nl=False)
