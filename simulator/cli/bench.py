"""`portchurn bench`: portchurn's own parts measured beside their peers, on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from simulator.cli.bench_suite import VERBS, BenchGroup, finish


@click.group("bench", cls=BenchGroup)
def command() -> None:
    """Measure portchurn beside its peers."""


@command.command("relay")
@click.option(
    "--workload",
    "names",
    multiple=True,
    type=click.Choice(["close", "close-both", "keepalive", "bulk", "hold"]),
    help="What is done; may be given several times. All of them if left out.",
)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1, 100))
@click.option(
    "--seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.2, 60),
    help="Length of each measurement.",
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 8000),
    help="Connections open at any time, instead of the workload's own number.",
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that keeps the benches.",
)
def relay(
    names: tuple[str, ...],
    rounds: int,
    seconds: float,
    at_once: int | None,
    output: str,
    results: Path,
) -> int:
    """What relaying costs: our relay, HAProxy, nginx's stream module, a plain uvloop relay.

    Each is measured in a fresh network namespace, on one core, by the same closed loop: short
    connections (close, close-both), small requests over open ones (keepalive), answers of a
    megabyte (bulk), or thousands of silent connections (hold).
    """
    from simulator.bench.relay import run_rounds, summarise, table, versions
    from simulator.bench.workloads import WORKLOADS

    version_of = versions()
    installed = [subject for subject, version in version_of.items() if version is not None]
    rows, kept = [], {}
    for name in names or tuple(WORKLOADS):
        found = run_rounds(
            WORKLOADS[name],
            installed,
            rounds=rounds,
            seconds=seconds,
            at_once=at_once,
            tell=lambda line: click.echo(line, err=True),
        )
        rows += summarise(WORKLOADS[name], found, version_of)
        for subject, each in found.items():
            kept[f"{name} {subject}"] = [asdict(one) for one in each]
    options = {"rounds": rounds, "seconds": seconds, "at-once": at_once, "workloads": names}
    return finish("relay", rows, table(rows), kept, options, output, results)


for _verb in VERBS:
    command.add_command(_verb)


@command.command("model")
@click.option(
    "--connections",
    default=20_000_000,
    show_default=True,
    type=click.IntRange(500_000, 200_000_000),
    help="For the fastest ways; slower ones get a tenth to a thousandth.",
)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1, 100))
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def model(connections: int, rounds: int, output: str) -> None:
    """Connections a second of the model, by all its ways, beside SimPy and Ciw on the same task.

    What is not installed is left out: numba (jit), SimPy, Ciw. The core decides on arrivals in
    memory; end to end is from the scenario to its counts.
    """
    from simulator.bench.model_speed import measure, table

    found = measure(connections, rounds)
    if output == "json":
        for one in found:
            rates = {"core_per_s": one.core_per_s, "whole_per_s": one.whole_per_s}
            click.echo(json.dumps({**asdict(one), **rates}))
    else:
        click.echo(table(found))
