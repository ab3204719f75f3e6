"""`portchurn bench`: portchurn's own parts measured beside their peers, on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from simulator.errors import EXIT_NOT_VALID, EXIT_OK


@click.group("bench")
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
def relay(rounds: int, seconds: float, at_once: int, output: str) -> int:
    """CPU of one relayed connection: our relay, HAProxy, a plain uvloop relay.

    Each is measured in a fresh network namespace, on one core, by the same closed loop of short
    connections (connect, 64 bytes each way, the client closes).
    """
    from simulator.bench.relay import run_rounds, summarise, table, versions
    from simulator.bench.rows import has_errors

    version_of = versions()
    installed = [subject for subject, version in version_of.items() if version is not None]
    results = run_rounds(
        installed,
        rounds=rounds,
        seconds=seconds,
        at_once=at_once,
        tell=lambda line: click.echo(line, err=True),
    )
    rows = summarise(results, version_of)
    if output == "json":
        for row in rows:
            click.echo(json.dumps(asdict(row)))
    else:
        click.echo(table(rows))
    if has_errors(rows):
        click.echo(
            "Not valid: connections failed, so the subjects did not do the same work.", err=True
        )
        return EXIT_NOT_VALID
    return EXIT_OK
