"""What a verb does before a compiled balancer: refuse it, or compile, with a line for who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.scenario.schema import Scenario


def compile_first(scenarios: Iterable[Scenario], *, quiet: bool = False) -> None:
    """Compile before the crew does, which could not say that it takes a while.

    Raises:
        Refused: this machine has no compiler, or a scenario cannot be done by compiled code.
        RunFailed: it does not compile here.
    """
    wanted = [one for one in scenarios if one.balancer.compiled]
    if not wanted:
        return
    from simulator.errors import Refused
    from simulator.preflight.compiled import compiled_refusals

    reasons = [reason for one in wanted for reason in compiled_refusals(one)]
    if reasons:
        raise Refused("\n".join(dict.fromkeys(reasons)))
    from simulator.live.compiled import cache

    cache.compile_first(lambda line: None if quiet else click.echo(line, err=True))
