"""`portchurn doctor`: what this machine can do, what it cannot, and what would mend it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from simulator.errors import EXIT_OK, EXIT_REFUSED

if TYPE_CHECKING:
    from simulator.kernel.capability import Check

_COLORS: Final = {"ok": "green", "limited": "yellow", "missing": "red"}


@click.command(name="doctor")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="Output form.")
def command(output: str) -> None:
    """Say what this machine can do, and how to mend what it cannot.

    Everything is really tried, in namespaces that end with the trial; nothing is changed. The exit
    code is 0 when scenarios can run here, 3 when they cannot.
    """
    from simulator.kernel.capability import can_run, gather, judge

    checks = judge(gather())
    able = can_run(checks)
    if output == "json":
        click.echo(json.dumps({"can_run": able, "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            _show(check)
        click.echo(_conclusion(checks, able))
    sys.exit(EXIT_OK if able else EXIT_REFUSED)


def _show(check: Check) -> None:
    from simulator.report.safe_text import safe

    state = click.style(f"{check.state:<8}", fg=_COLORS[check.state])
    click.echo(f"{state} {check.name:<24} {safe(check.found)}")
    click.echo(f"{'':<8} {'':<24} {check.meaning}")
    if check.mend:
        click.echo(f"{'':<8} {'':<24} mend: {check.mend}")


def _conclusion(checks: list[Check], able: bool) -> str:
    lost = [check.name for check in checks if check.needed and check.state == "missing"]
    if not able:
        return f"\nScenarios cannot run here: {', '.join(lost)}."
    limited = [check.name for check in checks if check.state == "limited"]
    beyond = f" Limited: {', '.join(limited)}." if limited else ""
    return f"\nScenarios can run here.{beyond}"
