"""Options that several verbs share, so that they are spelt and explained once."""

from __future__ import annotations

from pathlib import Path

import click

scenario_argument = click.argument("file", type=click.Path(path_type=Path))
overrides_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change one value, such as backends.count=4 or traffic.ramp.for=5s; may be repeated.",
)
seed_option = click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), help="Other seed.")
output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Output form.",
)
