"""`portchurn predict`: what a run will come to, from closed forms; no plan, no sockets, at once."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.explain import chosen_variants, finite
from simulator.cli.options import (
    output_option,
    overrides_option,
    scenario_argument,
    seed_option,
)
from simulator.errors import EXIT_OK, EXIT_REFUSED, Refused

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="predict")
@scenario_argument
@overrides_option
@seed_option
@click.option("--variant", help="Only this variant of the scenario.")
@output_option
def command(
    file: Path,
    overrides: tuple[str, ...],
    seed: int | None,
    variant: str | None,
    output: str,
) -> int:
    """Say what a run of FILE will come to: its wall, when, and how many connections fail.

    Closed forms answer at once, for any number of connections. What they do not know is named, and
    then they answer without counts. docs/theory.md has each of them with its source.
    """
    from simulator.preflight.predict import predict
    from simulator.report.forecast_text import forecast_text
    from simulator.scenario.load import load_file

    loaded = load_file(file, overrides=overrides, seed=seed, only=variant)
    answers: list[dict[str, Any]] = []
    code = EXIT_OK
    for name, scenario in chosen_variants(loaded, variant):
        answer: dict[str, Any] = {"variant": name, "title": scenario.title}
        try:
            forecast = predict(scenario, loaded.traces)
        except Refused as error:
            code = EXIT_REFUSED
            answers.append(answer | {"refusals": [str(error)]})
            if output == "text":
                click.echo(str(error), err=True)
            continue
        answers.append(answer | finite(asdict(forecast)))
        if output == "text":
            click.echo(forecast_text(scenario.title, name, forecast))
    if output == "json":
        click.echo(json.dumps(answers, indent=2))
    return code
