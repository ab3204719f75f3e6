"""The benches of the catalogue as verbs of `portchurn bench`, all in one frame."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.errors import EXIT_NOT_VALID, EXIT_OK, worst_exit_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.bench.rows import Row
    from simulator.bench.spec import Bench, Option

_results = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that keeps the benches.",
)
_output = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)


class BenchGroup(click.Group):
    """A group whose verbs are those defined beside it and every bench of the catalogue."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, those of the catalogue by their names alone."""
        from simulator.bench.catalogue import BENCHES

        return [*super().list_commands(ctx), *BENCHES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them; a bench's module is loaded only here."""
        from simulator.bench.catalogue import BENCHES, load

        if cmd_name in BENCHES:
            return _command(load(cmd_name))
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without loading any."""
        from simulator.bench.catalogue import BENCHES

        own = [
            (name, command.get_short_help_str(80))
            for name, command in sorted(self.commands.items())
        ]
        with formatter.section("Benches"):
            formatter.write_dl([*own, *BENCHES.items()])


def _command(bench: Bench) -> click.Command:
    def run(rounds: int, output: str, results: Path, **given: float) -> int:
        options = {name.replace("_", "-"): value for name, value in given.items()}
        return run_bench(bench, rounds, options, output, results)

    params: list[click.Parameter] = [
        click.Option(
            ["--rounds"],
            default=bench.rounds,
            show_default=True,
            type=click.IntRange(1, 100),
            help="Every subject is measured once in each.",
        ),
        *map(_parameter, bench.options),
    ]
    made = click.Command(bench.name, params=params, callback=run, help=_help(bench))
    _output(made)
    _results(made)
    return made


def _help(bench: Bench) -> str:
    wanted = "".join(f"\n\nTarget: {one}." for one in bench.wanted)
    subjects = ", ".join(bench.versions())
    return f"{bench.question}\n\nSubjects: {subjects}.{wanted}"


def _parameter(option: Option) -> click.Option:
    kind = (
        click.IntRange(int(option.least), int(option.most))
        if option.whole
        else click.FloatRange(option.least, option.most)
    )
    default = int(option.default) if option.whole else option.default
    return click.Option(
        [f"--{option.name}"], default=default, show_default=True, type=kind, help=option.text
    )


def run_bench(
    bench: Bench, rounds: int, options: Mapping[str, float], output: str, results: Path
) -> int:
    """Measure, keep, print; the exit code.

    Args:
        bench: which.
        rounds: how often.
        options: what its user chose, by name.
        output: ``text`` or ``json``.
        results: the results folder.
    """
    from simulator.bench.rounds import run_rounds
    from simulator.bench.rows import summarise, table

    version_of = bench.versions()
    installed = [subject for subject, version in version_of.items() if version is not None]
    found = run_rounds(bench, installed, rounds, dict(options), _tell)
    rows = summarise(bench.name, found, version_of, bench.units, bench.against)
    targets = [f"target: {one}" for one in bench.wanted]
    text = "\n".join([table(rows), *bench.conclude(found), *targets])
    return finish(bench.name, rows, text, found, {**options, "rounds": rounds}, output, results)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def finish(
    name: str,
    rows: Sequence[Row],
    text: str,
    rounds: Mapping[str, Sequence[Mapping[str, float]]],
    options: Mapping[str, Any],
    output: str,
    results: Path,
) -> int:
    """Keep what a bench found and print it; 5 where its subjects did not do the same work."""
    from simulator.bench.rows import has_errors
    from simulator.bench.stored import keep

    folder = keep(
        results,
        name,
        rows=rows,
        table=text,
        rounds=rounds,
        options=options,
        command=sys.argv[1:],
    )
    if output == "json":
        for row in rows:
            click.echo(json.dumps(asdict(row)))
    else:
        click.echo(text)
    click.echo(f"Results: {folder}", err=True)
    _write_page(folder)
    if has_errors(rows):
        click.echo(
            "Not valid: work failed in some round, so the subjects did not do the same.", err=True
        )
        return EXIT_NOT_VALID
    return EXIT_OK


def _write_page(folder: Path) -> None:
    """A page that cannot be written takes nothing from a bench that is stored."""
    from simulator.report.page.bench_page import write_bench_page

    try:
        write_bench_page(folder)
    except OSError as error:
        _tell(f"The page of {folder.name} was not written: {error}")


@click.command("list")
def list_benches() -> None:
    """Name every bench, what it answers, and which peers this machine has."""
    from simulator.bench import catalogue

    questions = {catalogue.RELAY: catalogue.RELAY_QUESTION, **catalogue.BENCHES}
    for name, question in questions.items():
        click.echo(f"{name:12}{question}")
        if name == catalogue.RELAY:
            from simulator.bench.relay import versions

            found = versions()
        else:
            found = catalogue.load(name).versions()
        told = [f"{one} {version or '(not installed)'}" for one, version in found.items()]
        click.echo(f"{'':12}{', '.join(told)}")


@click.command("all")
@click.option("--rounds", type=click.IntRange(1, 100), help="In place of each bench's own number.")
@_output
@_results
@click.pass_context
def all_benches(ctx: click.Context, rounds: int | None, output: str, results: Path) -> int:
    """Every bench, one after the other, each with its own options as they are."""
    from simulator.bench import catalogue

    codes = [_relay(ctx, rounds, output, results)]
    for name in catalogue.BENCHES:
        _tell(f"\n{name}: {catalogue.BENCHES[name]}")
        bench = catalogue.load(name)
        code = run_bench(bench, rounds or bench.rounds, bench.defaults(), output, results)
        codes.append(code)
    return worst_exit_code(codes)


def _relay(ctx: click.Context, rounds: int | None, output: str, results: Path) -> int:
    """The relay bench as its own verb does it."""
    assert ctx.parent is not None
    assert isinstance(ctx.parent.command, click.Group)
    relay = ctx.parent.command.commands["relay"]
    words: list[str] = ["--output", output, "--results", str(results)]
    if rounds is not None:
        words += ["--rounds", str(rounds)]
    with relay.make_context("relay", words, parent=ctx) as inner:
        code = relay.invoke(inner)
    return int(code or 0)


VERBS: tuple[click.Command, ...] = (list_benches, all_benches)
