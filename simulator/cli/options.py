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
#: For verbs that read stored runs; `run` writes them, and says itself why it cannot.
results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Folder that keeps the runs.",
)

#: For verbs that write runs and say themselves why they cannot.
runs_option = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that keeps the runs.",
)

loop_option = click.option(
    "--loop",
    type=click.Choice(["uvloop", "asyncio"]),
    default="uvloop",
    show_default=True,
    help="Event loop of every process.",
)

engine_option = click.option(
    "--engine",
    type=click.Choice(["kernel", "model"]),
    default=None,
    help="Real sockets on the kernel, or the model of them: no sockets, no waiting, no CPU.  "
    "[default: kernel, and model where a scenario asks for what only that has]",
)
