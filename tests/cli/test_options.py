"""The options that verbs share mean the same everywhere."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from simulator.cli.options import (
    output_option,
    overrides_option,
    scenario_argument,
    seed_option,
)


@click.command()
@scenario_argument
@overrides_option
@seed_option
@output_option
def probe(file: Path, overrides: tuple[str, ...], seed: int | None, output: str) -> None:
    assert isinstance(file, Path)
    click.echo(f"{file} {overrides} {seed} {output}")


def test_values_arrive_as_given_and_in_order() -> None:
    given = ["a.yaml", "--set", "a.b=1", "--set", "c={d: 2}", "--seed", "7", "--output", "json"]
    result = CliRunner().invoke(probe, given)
    assert result.output == "a.yaml ('a.b=1', 'c={d: 2}') 7 json\n"
    assert CliRunner().invoke(probe, ["a.yaml"]).output == "a.yaml () None text\n"


@pytest.mark.parametrize("seed", ["-1", str(1 << 63), "x"])
def test_a_seed_that_no_file_could_have_is_refused(seed: str) -> None:
    assert CliRunner().invoke(probe, ["a.yaml", "--seed", seed]).exit_code == 2
