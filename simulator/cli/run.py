"""`portchurn run`: a scenario on the real kernel, its progress on stderr, its verdict on stdout."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.compiling import compile_first
from simulator.cli.options import (
    engine_option,
    loop_option,
    overrides_option,
    runs_option,
    scenario_argument,
    seed_option,
)
from simulator.errors import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    PortchurnError,
    RunFailed,
    UsageError,
    worst_exit_code,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulator.engine import Engine
    from simulator.experiment import Answer, Question, Turn


class StopRequests:
    """What signals ask for: once, to stop and save; twice, to end now.

    Attributes:
        exit_code: 130 after Ctrl-C or a closed terminal, 143 after SIGTERM, 0 when not asked.
        say: tells the user that the request was heard.
    """

    def __init__(self) -> None:
        self._level = 0
        self.exit_code = 0
        self.say: Callable[[str], None] = lambda text: click.echo(text, err=True)

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the signals over for the life of the loop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._ask, number)

    def _ask(self, number: signal.Signals) -> None:
        self._level += 1
        terminated = number == signal.SIGTERM
        self.exit_code = self.exit_code or (EXIT_TERMINATED if terminated else EXIT_INTERRUPTED)
        if self._level == 1:
            self.say("Stopping: no new connections, saving. Once more to end now.")

    def level(self) -> int:
        """0 go on, 1 stop and save, 2 end now."""
        return min(self._level, 2)


@click.command(name="run")
@scenario_argument
@overrides_option
@seed_option
@runs_option
@click.option("--variant", help="Run only this variant of the scenario.")
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Run everything so often, variants in turn, and give medians; intervals from 5 on.",
)
@click.option("--vary-seed", is_flag=True, help="With --repeat: another plan in each round.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Output form; markdown is a table of variants.",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.option(
    "--live", is_flag=True, help="Serve a page of the run on this host; its link goes to stderr."
)
@engine_option
@loop_option
def command(  # noqa: PLR0913 - one argument for each option
    *,
    file: Path,
    overrides: tuple[str, ...],
    seed: int | None,
    results: Path,
    variant: str | None,
    repeat: int,
    vary_seed: bool,
    output: str,
    quiet: bool,
    live: bool,
    engine: str | None,
    loop: str,
) -> None:
    """Run a scenario on the real kernel, or in the model of it, and print the verdict.

    On the kernel everything happens on real sockets in namespaces of the run's own; nothing on
    this host is changed. The model needs no sockets, and no time but its own; what it cannot do it
    refuses by name. Ctrl-C once stops and saves, twice ends at once. Exit codes: 0 passed, 2 the
    scenario is wrong, 3 this machine cannot do it, 4 a threshold failed, 5 the measurement is not
    valid, 6 results are incomplete, 130 interrupted.
    """
    from simulator.experiment import questions, turns
    from simulator.scenario.load import load_file

    if vary_seed and repeat == 1:
        raise UsageError("--vary-seed changes the rounds of a series; give --repeat 5 or more too")
    loaded = load_file(file, overrides=overrides, seed=seed, only=variant)
    asked = questions(loaded, variant)
    if not asked:
        names = ", ".join(one.name for one in loaded.variants)
        raise UsageError(f"{file} has no variant named {variant}; it has: {names}")
    if variant is not None and not loaded.variants:
        raise UsageError(f"{file} has no variants, so --variant {variant} names nothing")
    if output == "markdown" and (repeat > 1 or len(asked) == 1):
        raise UsageError("--output markdown is a table of variants, each run once")
    stop = StopRequests()
    answers: list[Answer] = []
    try:
        series = list(turns(asked, repeat, vary_seed=vary_seed))
        chosen = engine or engine_for(asked)
        if chosen != "model":
            compile_first((one.scenario for one in asked), quiet=quiet)
        with _page(chosen, live=live) as followed:
            run_on(
                *(loop, series, stop, results, answers),
                engine=chosen,
                quiet=quiet,
                followed=followed,
            )
    except RunFailed as failure:
        if stop.level() < 2:
            raise
        click.echo(str(failure), err=True)  # ended before it began, because it was asked to
        sys.exit(stop.exit_code)
    finally:  # what came before a failure was measured all the same
        if answers:
            _print(series, answers, loaded.scenario.seed, output)
            _page_of_variants(answers if repeat == 1 else [], show=output == "text")
    codes = [one.exit_code for one in answers]
    if stop.exit_code:
        codes.append(stop.exit_code)
    sys.exit(worst_exit_code(codes))


def engine_for(asked: Sequence[Question]) -> str:
    """The engine that can do all of it, where none was asked for; the model not without a word."""
    from simulator.model.stream_run import is_streamed
    from simulator.preflight.model_only import model_only

    long = "more connections than are ever kept"
    for question in asked:
        for reason in [long] * is_streamed(question.scenario) + model_only(question.scenario):
            click.echo(f"By the model engine, without a socket ({reason}).", err=True)
            return "model"
    return "kernel"


@contextmanager
def _page(engine: str, *, live: bool) -> Iterator[Callable[[Engine], Engine]]:
    """The live page for the length of a block, if it is wanted: how an engine comes to be shown."""
    if not live:
        yield as_it_is
        return
    if engine == "model":
        raise UsageError("--live shows a run while it goes on; the model's is over at once")
    from simulator.cli.live_page import FollowedEngine, page_beside

    with page_beside() as (link, tell):
        click.echo(f"Live: {link}", err=True)
        yield lambda engine: FollowedEngine(engine, tell)


def as_it_is(engine: Engine) -> Engine:
    """An engine that nobody follows."""
    return engine


def run_on(
    loop: str,
    series: list[Turn],
    stop: StopRequests,
    results: Path,
    answers: list[Answer],
    *,
    engine: str,
    quiet: bool,
    followed: Callable[[Engine], Engine] = as_it_is,
) -> None:
    """Run everything on an event loop of the kind that the crew is given too.

    Args:
        loop: its name.
        series: what to run, in order.
        stop: asked after each run whether to go on.
        results: where runs are kept.
        answers: each answer is added when it is there, so that a failure takes none away.
        engine: name of the engine.
        quiet: no progress on stderr.
        followed: how the engine comes to be shown.
    """
    from simulator.live.role import new_loop

    with asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        chosen = followed(_new_engine(engine, loop))
        runner.run(_run_all(series, stop, results, answers, quiet=quiet, engine=chosen))


def _new_engine(name: str, loop: str) -> Engine:
    if name == "model":
        from simulator.model.engine import ModelEngine

        return ModelEngine()
    from simulator.live.engine import KernelEngine

    return KernelEngine(loop)


async def _run_all(
    series: list[Turn],
    stop: StopRequests,
    results: Path,
    answers: list[Answer],
    *,
    quiet: bool,
    engine: Engine,
) -> None:
    from simulator.experiment import answer
    from simulator.report.terminal import LiveDisplay

    stop.install(asyncio.get_running_loop())
    rounds = series[-1].block + 1
    for turn in series:
        question = turn.question
        title = question.scenario.title
        if question.variant:
            title = f"{title} [{question.variant}]"
        if question.scenario.loop == "closed":
            title = f"{title}, closed loop"
        if rounds > 1:
            title = f"{title}, round {turn.block + 1} of {rounds}"
        with LiveDisplay(title=title, stop=stop.level, quiet=quiet) as display:
            stop.say = display.say
            with page_after(shared=rounds > 1) as begun:
                answers.append(
                    await answer(question, engine, display, results, sys.argv[1:], begun)
                )
        if stop.level():
            break


@contextmanager
def page_after(*, shared: bool) -> Iterator[Callable[[Path], None]]:
    """Write the page of the run that begins within, however it ends.

    A page that cannot be written takes nothing from a run that is stored, and is only told of.

    Args:
        shared: keep the chart script beside the runs, since a series has many pages.
    """
    folders: list[Path] = []
    try:
        yield folders.append
    finally:
        for folder in filter(Path.is_dir, folders):  # a refused run leaves none
            from simulator.report.page.run_page import write_run_page

            try:
                write_run_page(folder, shared=shared)
            except (OSError, PortchurnError) as error:
                click.echo(f"The page of {folder.name} was not written: {error}", err=True)


def _page_of_variants(answers: list[Answer], *, show: bool) -> None:
    """Write the page that holds variants against each other, where there are two or more."""
    if len(answers) < 2:
        return
    from simulator.report.page.variants_page import write_variants_page

    try:
        page = write_variants_page([one.folder for one in answers])
    except (OSError, PortchurnError) as error:
        click.echo(f"The page of the variants was not written: {error}", err=True)
        return
    if show:
        click.echo(f"Page: {_shown(page)}")


def _print(series: list[Turn], answers: list[Answer], seed: int, output: str) -> None:
    """What was found, in the form that was asked for."""
    if series[-1].block:
        _print_series(series, answers, seed, output)
    elif output == "json":
        _print_json(answers)
    elif output == "markdown":
        _print_markdown(answers)
    else:
        _print_text(answers)


def _print_json(answers: list[Answer]) -> None:
    summaries: list[dict[str, Any]] = [{**one.summary, "path": str(one.folder)} for one in answers]
    shown: Any = summaries[0] if len(summaries) == 1 else summaries
    click.echo(json.dumps(shown, indent=1))


def _print_markdown(answers: list[Answer]) -> None:
    from simulator.report.variants_markdown import variants_markdown

    click.echo(variants_markdown([one.summary for one in answers]), nl=False)


def _print_series(series: list[Turn], answers: list[Answer], seed: int, output: str) -> None:
    """Medians over the runs of a series; one that ended early has fewer answers."""
    from simulator.measure.repeats import Repeat, repeats
    from simulator.report.repeats_text import repeats_text

    runs = [
        Repeat(block=turn.block, path=_shown(one.folder), summary=one.summary)
        for turn, one in zip(series, answers, strict=False)
    ]
    table = repeats(runs, seed=seed)
    if output == "json":
        click.echo(json.dumps(table, indent=1))
        return
    width = shutil.get_terminal_size((100, 24)).columns
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    click.echo(repeats_text(table, width=width, color=color), nl=False)
    click.echo()
    for run in runs:
        click.echo(f"Results: {run.path}")


def _print_text(answers: list[Answer]) -> None:
    from simulator.report.summary_text import summary_text
    from simulator.report.variants_text import variants_text

    width = shutil.get_terminal_size((100, 24)).columns
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if len(answers) == 1:
        one = answers[0]
        text = summary_text(one.summary, path=_shown(one.folder), width=width, color=color)
        click.echo(text, nl=False)
        return
    click.echo(variants_text([one.summary for one in answers], width=width, color=color), nl=False)
    click.echo()
    for one in answers:
        click.echo(f"Results: {_shown(one.folder)}")


def _shown(folder: Path) -> str:
    """The folder as a person would type it from here."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
