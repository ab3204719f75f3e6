"""`portchurn validate`: check scenario files; every error at once, nothing runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import output_option, overrides_option
from simulator.errors import EXIT_OK, ScenarioError

if TYPE_CHECKING:
    from simulator.scenario.load import Loaded


@click.command(name="validate")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@overrides_option
@output_option
def command(files: tuple[Path, ...], overrides: tuple[str, ...], output: str) -> int:
    """Check scenario FILES and name every error with its place."""
    from simulator.scenario.load import load_file

    code = EXIT_OK
    answers = []
    for file in files:
        try:
            loaded = load_file(file, overrides=overrides)
        except ScenarioError as error:
            code = error.exit_code
            answers.append({"file": str(file), "valid": False, "errors": _errors(error)})
            if output == "text":
                click.echo(str(error), err=True)
            continue
        answers.append({"file": str(file), "valid": True, "errors": []})
        if output == "text":
            click.echo(f"{_shown(file)}: valid, {_described(loaded)}")
    if output == "json":
        click.echo(json.dumps(answers, indent=2))
    return code


def _errors(error: ScenarioError) -> list[dict[str, Any]]:
    """The errors of one file apart; one entry without a place where the file cannot be read."""
    from simulator.scenario.complaint import ScenarioComplaintsError

    if not isinstance(error, ScenarioComplaintsError):
        return [{"line": None, "column": None, "path": "", "message": str(error)}]
    return [
        {
            "source": one.place.source.name,
            "line": one.place.line,
            "column": one.place.column,
            "path": one.path,
            "message": one.message,
        }
        for one in error.complaints
    ]


def _shown(file: Path) -> str:
    from simulator.scenario.complaint import printable

    return printable(str(file))


def _described(loaded: Loaded) -> str:
    phases = len(loaded.scenario.traffic)
    text = f"{phases} phase{'s' if phases > 1 else ''}"
    if loaded.variants:
        text += f", {len(loaded.variants)} variants"
    return text
