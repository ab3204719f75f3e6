"""`portchurn bench`: portchurn's own parts measured beside their peers, on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from simulator.cli.bench_suite import VERBS, BenchGroup, finish


@click.group("bench", cls=BenchGroup)
def command() -> None:
    """Measure portchurn beside its peers."""


@command.command("relay")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option(
    "--seconds",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.2, 60),
    help="Length of each measurement.",
)
@click.option(
    "--at-once",
    default=64,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Connections under way at any time.",
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder that keeps the benches.",
)
def relay(rounds: int, seconds: float, at_once: int, output: str, results: Path) -> int:
    """CPU of one relayed connection: our relay, HAProxy, a plain uvloop relay.

    Each is measured in a fresh network namespace, on one core, by the same closed loop of short
    connections (connect, 64 bytes each way, the client closes).
    """
    from simulator.bench.relay import run_rounds, summarise, table, versions

    version_of = versions()
    installed = [subject for subject, version in version_of.items() if version is not None]
    found = run_rounds(
        installed,
        rounds=rounds,
        seconds=seconds,
        at_once=at_once,
        tell=lambda line: click.echo(line, err=True),
    )
    rows = summarise(found, version_of)
    kept = {subject: [asdict(one) for one in each] for subject, each in found.items()}
    options = {"rounds": rounds, "seconds": seconds, "at-once": at_once}
    return finish("relay", rows, table(rows), kept, options, output, results)


for _verb in VERBS:
    command.add_command(_verb)
