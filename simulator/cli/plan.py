"""`portchurn plan`: from a goal back to what reaches it, checked by forecast, proved by a run."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.explain import chosen_variants, finite
from simulator.cli.options import (
    loop_option,
    output_option,
    overrides_option,
    scenario_argument,
    seed_option,
)
from simulator.errors import EXIT_OK, EXIT_THRESHOLD, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.experiment import Answer
    from simulator.preflight.forecast import Forecast
    from simulator.preflight.inverse import Goal, Proposal

#: Steps of each forecast: several dozen are asked for.
_STEPS = 2048


@click.command(name="plan")
@scenario_argument
@click.option("--goal", required=True, help="What is wanted, such as 'failed < 0.01 %'.")
@overrides_option
@seed_option
@click.option("--variant", help="Which variant of the scenario; needed where there are several.")
@click.option(
    "--headroom",
    type=click.FloatRange(0, 900),
    default=10.0,
    show_default=True,
    help="Plan for so many per cent more load, since a real kernel and its neighbours add delay.",
)
@click.option("--prove", is_flag=True, help="Run the cheapest one on the kernel and compare.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder that keeps the run of --prove.",
)
@output_option
@loop_option
def command(  # noqa: PLR0913 - one argument for each option
    *,
    file: Path,
    goal: str,
    overrides: tuple[str, ...],
    seed: int | None,
    variant: str | None,
    headroom: float,
    prove: bool,
    results: Path,
    output: str,
    loop: str,
) -> int:
    """Say what FILE would need to reach a goal, each thing alone and the cheapest mix.

    Every proposal was checked by its own forecast. Exit codes: 0 the goal is met or can be, 4 it
    cannot by what is known here, or --prove missed it.
    """
    from simulator.preflight.inverse import parse_goal, proposals
    from simulator.preflight.predict import predict
    from simulator.report.proposal_text import proposals_text
    from simulator.scenario.load import load_file

    wanted = parse_goal(goal)
    loaded = load_file(file, overrides=overrides, seed=seed, only=variant)
    chosen = chosen_variants(loaded, variant)
    if len(chosen) > 1:
        names = ", ".join(name for name, _ in chosen)
        raise UsageError(f"{file} has several variants; choose one with --variant: {names}")
    [(name, scenario)] = chosen

    load = 1.0 + headroom / 100.0

    def ask(sets: tuple[str, ...]) -> Forecast:
        changed = load_file(file, overrides=(*overrides, *sets), seed=seed, only=variant)
        [(_, one)] = chosen_variants(changed, variant)
        return predict(one, changed.traces, load=load, steps=_STEPS)

    now = predict(scenario, loaded.traces)
    is_met = wanted.holds(now) and wanted.holds(ask(()))
    found = () if is_met else proposals(scenario, ask(()), wanted, ask)
    if output == "json":
        click.echo(json.dumps(_data(wanted, now, found), indent=2))
    else:
        click.echo(now.sentence)
        if headroom:
            click.echo(f"Planned for {headroom:g} % more load (--headroom).")
        lines: Iterator[str] = iter([f"'{wanted.text}' is met as it stands."])
        click.echo("\n".join(lines if is_met else proposals_text(wanted, found)))
    if not is_met and not found:
        return EXIT_THRESHOLD
    if not prove:
        return EXIT_OK
    sets = (*overrides, *(found[0].sets if found else ()))
    changed = load_file(file, overrides=(*sets, "thresholds=[]"), seed=seed, only=variant)
    [(_, one)] = chosen_variants(changed, variant)
    told = predict(one, changed.traces)
    return _proved(changed, name, told, wanted, results, loop)


def _data(goal: Goal, now: Forecast, found: tuple[Proposal, ...]) -> dict[str, Any]:
    return {
        "goal": goal.text,
        "now": finite(asdict(now)),
        "proposals": [finite(asdict(one)) for one in found],
    }


def _proved(
    loaded: Any,  # noqa: ANN401 - simulator.scenario.load.Loaded, imported late
    variant: str,
    told: Forecast,
    goal: Goal,
    results: Path,
    loop: str,
) -> int:
    """Run the changed scenario and print what was told beside what was measured; on stderr."""
    from simulator.cli.run import StopRequests, engine_for, run_on
    from simulator.experiment import questions, turns

    series = list(turns(questions(loaded, variant or None), 1))
    stop = StopRequests()
    engine = engine_for([one.question for one in series])
    answers: list[Answer] = []
    run_on(loop, series, stop, results, answers, engine=engine, quiet=True)
    [answer] = answers
    if stop.exit_code:
        sys.exit(stop.exit_code)
    attempts = answer.summary["attempts"]
    proved = "PROVED on the kernel" if engine == "kernel" else "PLAYED in the model"
    click.echo(f"{proved}: predicted, measured", err=True)
    click.echo(f"  ok      {told.ok or 0:12,.0f} {attempts['ok']:12,}", err=True)
    click.echo(f"  failed  {told.failed or 0:12,.0f} {attempts['failed']:12,}", err=True)
    for seen, hop in zip(answer.summary["hops"], told.hops, strict=True):
        click.echo(f"  {hop.hop} peak {hop.in_use_peak:,.0f}, {seen['in_use_peak']:,}", err=True)
    return EXIT_OK if goal.holds_counts(attempts["failed"], attempts["planned"]) else EXIT_THRESHOLD
