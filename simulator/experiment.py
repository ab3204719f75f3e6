"""One scenario, done: plan it, see that it fits, let an engine do it, measure, store.

Short on purpose: each step is one call into its own room, and what one step gives the next is a
value or a folder, never a live object.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from simulator.errors import (
    EXIT_INCOMPLETE,
    EXIT_NOT_VALID,
    EXIT_OK,
    EXIT_THRESHOLD,
    Refused,
    worst_exit_code,
)
from simulator.kernel.limits import read_machine
from simulator.kernel.sysctls import refuse_what_is_missing
from simulator.model.engine import NAME as MODEL
from simulator.model.stream_run import is_streamed, who_can
from simulator.preflight.examine import examine
from simulator.seeds import pure_random, stream_key
from simulator.store.read import load_run
from simulator.store.write import create_run
from simulator.traffic.plan import make_plan
from simulator.traffic.stream import is_too_long, no_rows, planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from simulator.engine import Engine, Watch
    from simulator.scenario.load import Loaded
    from simulator.scenario.schema import Scenario
    from simulator.traffic.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing to run: a scenario file with one of its variants applied.

    Attributes:
        loaded: the file.
        variant: the variant's name, "" for the scenario as it stands.
        scenario: the scenario of this variant.
    """

    loaded: Loaded
    variant: str
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finished run: where it is stored, its summary, and the exit code it stands for."""

    folder: Path
    summary: dict[str, Any]
    exit_code: int


def questions(loaded: Loaded, only: str | None = None) -> list[Question]:
    """What a scenario file asks: each of its variants, or the scenario itself.

    Args:
        loaded: the file.
        only: name of the one variant that is wanted.
    """
    if not loaded.variants:
        return [Question(loaded=loaded, variant="", scenario=loaded.scenario)]
    return [
        Question(loaded=loaded, variant=variant.name, scenario=variant.scenario)
        for variant in loaded.variants
        if only is None or variant.name == only
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One run of a series: the question, and the round of the series that asks it."""

    block: int
    question: Question


def turns(asked: Sequence[Question], repeat: int, *, vary_seed: bool = False) -> Iterator[Turn]:
    """Every run of a series, in blocks that hold each question once, in an order drawn for each.

    What drifts while a series runs, such as heat or a neighbour, then meets all variants alike
    and not always the same one first. The runs of one block share a seed, so that they can be
    compared as pairs; it is the scenario's own in every block unless `vary_seed` asks for others.
    The order comes from the scenario's seed.

    Args:
        asked: the questions; a single round keeps their order.
        repeat: rounds, at least 1.
        vary_seed: draw another plan for each round after the first.
    """
    for block in range(repeat):
        order = list(asked)
        if repeat > 1:
            pure_random(asked[0].scenario.seed, "turns", block).shuffle(order)
        for question in order:
            if vary_seed and block:
                seed = stream_key(question.scenario.seed, "repeat", block) >> 65
                scenario = question.scenario.model_copy(update={"seed": seed})
                question = replace(question, scenario=scenario)  # noqa: PLW2901 - the same one
            yield Turn(block=block, question=question)


def exit_code(summary: dict[str, Any]) -> int:
    """The documented exit code of a summary (docs/design.md), leaving interruption aside."""
    codes = [EXIT_OK]
    if summary.get("incomplete"):
        codes.append(EXIT_INCOMPLETE)
    if not summary["valid"]:
        codes.append(EXIT_NOT_VALID)
    if any(not threshold["holds"] for threshold in summary.get("thresholds", ())):
        codes.append(EXIT_THRESHOLD)
    return worst_exit_code(codes)


async def answer(
    question: Question,
    engine: Engine,
    watch: Watch,
    root: Path,
    command: Sequence[str],
    begun: Callable[[Path], None] | None = None,
) -> Answer:
    """Run one question and store everything.

    Args:
        question: what to run.
        engine: who runs it.
        watch: who is told how it stands.
        root: the results folder.
        command: the words that asked for it.
        begun: told the run's folder as soon as there is one; it is gone again after `Refused`.

    Raises:
        Refused: it does not fit this machine; nothing was measured, and nothing is stored.
        RunFailed: a role broke; what was measured is in the run's folder, without a summary.
        ResultsIncomplete: the disk would not take the results.
        InternalError: the accounting does not add up.
    """
    scenario = question.scenario
    in_parts = engine.name == MODEL and is_streamed(scenario)
    plan = no_rows(scenario) if in_parts else _plan(question)
    if engine.name == "kernel":  # no other engine needs descriptors, ports or settings of ours
        examine(scenario, plan, read_machine()).refuse()
        refuse_what_is_missing(scenario.kernel)
    with create_run(
        root,
        slug=question.loaded.slug,
        text=question.loaded.text,
        scenario=scenario,
        variant=question.variant,
        engine=engine.name,
        command=command,
        plan=plan.files,
        without_rows=round(planned(scenario)) if in_parts else None,
    ) as writer:
        if begun is not None:
            begun(writer.folder)
        config = scenario.balancer.config
        if config is not None:
            writer.keep_template(question.loaded.configs[config])
        try:
            await engine.run(writer.job, writer, watch)
        except Refused:
            writer.discard()
            raise
        summary = measure(writer.folder)
        writer.finish(summary)
    return Answer(folder=writer.folder, summary=summary, exit_code=exit_code(summary))


def _plan(question: Question) -> Plan:
    """The plan of a question.

    Raises:
        Refused: it is too long to be kept; who can do without is told.
    """
    scenario, traces = question.scenario, question.loaded.traces
    try:
        return make_plan(scenario, traces)
    except Refused as refused:
        if not is_too_long(scenario, traces):
            raise
        raise Refused(f"{refused}\n{who_can(scenario)}") from None


def measure(folder: Path) -> dict[str, Any]:
    """The summary of a stored run, from its records alone."""
    from simulator.measure.summary import summarize  # not before the run, which would wait for it

    return summarize(load_run(folder))
