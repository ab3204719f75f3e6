"""`portchurn schema`: the JSON Schema of scenario files, for editors."""

from __future__ import annotations

import json

import click


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema of scenario files.

    Save it and name it on the first line of a scenario, and most editors complete and check keys:

        # yaml-language-server: $schema=portchurn.schema.json
    """
    from simulator.scenario.json_schema import scenario_json_schema

    click.echo(json.dumps(scenario_json_schema(), indent=2, ensure_ascii=False))
