"""Rounds of a bench: interleaved, each subject of each round in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from simulator.bench.rows import order_of
from simulator.errors import RunFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.bench.spec import Bench, Given, Values

#: The last words of a round that broke which are shown.
_LAST_WORDS = 2_000


def run_rounds(
    bench: Bench,
    subjects: Sequence[str],
    rounds: int,
    options: Given,
    tell: Callable[[str], None],
) -> dict[str, list[Values]]:
    """Measure all subjects, interleaved; the values of each round by subject.

    Raises:
        RunFailed: a round broke; the message holds what it said.
    """
    results: dict[str, list[Values]] = {subject: [] for subject in subjects}
    for number in range(rounds):
        for subject in order_of(number, subjects):
            values = _one_round(bench, subject, options)
            results[subject].append(values)
            tell(f"round {number + 1}/{rounds}  {subject:16} {_first(bench, values)}")
    return results


def _first(bench: Bench, values: Values) -> str:
    """The first metrics of a round, so that somebody who waits sees something."""
    shown = [(name, unit) for name, unit in bench.units.items() if name in values][:2]
    return ", ".join(f"{name} {values[name]:,.2f} {unit}" for name, unit in shown)


def _one_round(bench: Bench, subject: str, options: Given) -> Values:
    asked = {"bench": bench.name, "subject": subject, "options": options}
    command = [sys.executable, "-m", "simulator.bench.one_round", json.dumps(asked)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=bench.patience_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"the round of {subject} did not end") from error
    if done.returncode != 0 or not done.stdout.strip():
        raise RunFailed(f"the round of {subject} broke:\n{done.stderr[-_LAST_WORDS:]}")
    values: Values = json.loads(done.stdout.splitlines()[-1])
    return values
