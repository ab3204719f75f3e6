"""`portchurn compare`: stored runs against each other, or a scenario on kernel and model.

What is asked is told by what is named: scenario files, or runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from simulator.cli.options import overrides_option, runs_option, seed_option
from simulator.errors import EXIT_OK, EXIT_THRESHOLD, UsageError

if TYPE_CHECKING:
    from simulator.engine import Engine
    from simulator.experiment import Answer, Question
    from simulator.measure.agreement import Agreement

#: The least that `sampling.every` may be.
_EVERY_NS: Final = 10_000_000
#: Endings of scenario files, so that one that does not exist is not taken for a run's name.
_SCENARIOS: Final = (".yaml", ".yml")


@click.command(name="compare")
@click.argument("names", metavar="RUN... | FILE...", nargs=-1, required=True)
@overrides_option
@seed_option
@runs_option
@click.option("--variant", help="Compare only this variant.")
@click.option("--force", is_flag=True, help="Compare runs also where that means little.")
@click.option(
    "--fail-if",
    "fail_if",
    multiple=True,
    metavar="CHANGE",
    help="Exit code 4 on such a change against the first run: 'connect.p99 > +10%'; repeatable.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the comparison of stored runs to this HTML file, with its charts.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Output form; markdown is a calibration card, or a table for an issue.",
)
def command(  # noqa: PLR0913 - one argument for each option
    *,
    names: tuple[str, ...],
    overrides: tuple[str, ...],
    seed: int | None,
    results: Path,
    variant: str | None,
    force: bool,
    fail_if: tuple[str, ...],
    page: Path | None,
    output: str,
) -> None:
    """Hold stored runs against the first of them, or the model against the kernel.

    RUN is what `show` knows (a run's id, its folder, a scenario's newest run), or a folder with the
    runs of a series (`run FILE --repeat 5`). What differs besides the numbers comes first, then
    ratios with their intervals. Runs that answer different questions are refused unless --force is
    given: exit code 5 for one that is not valid, 6 for one that is not complete, 2 for the rest.

    FILE is run on the kernel and in the model, by one plan, and the error of each series is told.
    Exit code 4 when an error is above its target.
    """
    files = [name for name in names if Path(name).is_file() or name.endswith(_SCENARIOS)]
    if files and len(files) < len(names):
        raise UsageError("scenario files and runs do not go together; name the one or the other")
    if files:
        if force or fail_if or page:
            raise UsageError("--force, --fail-if and --page are for stored runs, not for files")
        paths = tuple(map(Path, files))
        sys.exit(_compare_engines(paths, overrides, seed, results, variant, output))
    if overrides or seed is not None:
        raise UsageError("--set and --seed are for scenario files; stored runs are as they were")
    from simulator.cli.compare_runs import Asked, compare_runs

    asked = Asked(variant=variant, force=force, fail_if=fail_if, output=output, page=page)
    sys.exit(compare_runs(names, results, asked))


def _compare_engines(
    files: tuple[Path, ...],
    overrides: tuple[str, ...],
    seed: int | None,
    results: Path,
    variant: str | None,
    output: str,
) -> int:
    """Run scenarios on both engines and print the errors; the exit code."""
    from simulator.experiment import questions
    from simulator.report.agreement_text import agreement_markdown, agreement_text
    from simulator.scenario.load import load_file

    found: list[tuple[str, list[Agreement]]] = []
    for file in files:
        asked = questions(load_file(file, overrides=overrides, seed=seed), variant)
        if not asked:
            raise UsageError(f"{file} has no variant named {variant}")
        for question in asked:
            title = f"{question.loaded.slug} {question.variant}".strip()
            found.append((title, _compare(question, results)))
            if output == "text":
                click.echo(agreement_text(*found[-1]))
            elif output == "markdown":
                click.echo(agreement_markdown(*found[-1]))
    if output == "json":
        told: dict[str, Any] = {title: [one.as_dict() for one in rows] for title, rows in found}
        click.echo(json.dumps(told, indent=1))
    missed = any(not one.holds for _, rows in found for one in rows)
    return EXIT_THRESHOLD if missed else EXIT_OK


def _compare(question: Question, results: Path) -> list[Agreement]:
    from simulator.measure.agreement import agreements
    from simulator.report.page.run_page import write_run_page
    from simulator.store.agreement import keep_agreement
    from simulator.store.read import load_run

    modelled, real = asyncio.run(_both(question, results))
    found = agreements(
        load_run(real.folder), load_run(modelled.folder), (real.summary, modelled.summary)
    )
    keep_agreement(real.folder, modelled.folder, [one.as_dict() for one in found])
    write_run_page(real.folder)
    return found


async def _both(question: Question, results: Path) -> tuple[Answer, Answer]:
    """The model first: what it cannot do is refused before anything runs.

    It is sampled as often as a scenario may ask for, so that its state is known at the moments of
    the kernel's samples, between which whole waves of connections may come and go. It goes event by
    event, since only so is it known at which cost each port was found.
    """
    from simulator.experiment import answer
    from simulator.live.engine import KernelEngine
    from simulator.model.engine import ModelEngine
    from simulator.report.terminal import LiveDisplay

    sampling = question.scenario.sampling.model_copy(update={"every": _EVERY_NS})
    often = question.scenario.model_copy(update={"sampling": sampling})
    runs: list[tuple[Engine, Question]] = [
        (ModelEngine(arrays=False), replace(question, scenario=often)),
        (KernelEngine(), question),
    ]
    answers = []
    for engine, asked in runs:
        with LiveDisplay(title=asked.scenario.title, stop=lambda: 0, quiet=True) as display:
            answers.append(await answer(asked, engine, display, results, sys.argv[1:]))
    return answers[0], answers[1]
