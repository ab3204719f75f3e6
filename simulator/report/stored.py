"""A stored run and its summary, as every report starts: also of a run that was cut short."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from simulator.store.agreement import read_agreement
from simulator.store.read import entry, load_run, read_summary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simulator.engine import Run

#: What is said first of a run without a summary of its own.
LEADS: Final = {
    "aborted": "ABORTED: this run did not come to its end. What it kept says:",
    "running": "STILL RUNNING. What it has kept so far says:",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a folder holds.

    Attributes:
        folder: where.
        status: ``complete``, ``running`` or ``aborted``.
        run: its records.
        summary: as stored, else worked out from the records.
        beside: the model's run of the same plan, None without one.
        errors: how far the two are apart, a mapping for each series (`measure.agreement`).
    """

    folder: Path
    status: str
    run: Run
    summary: dict[str, Any]
    beside: Stored | None = None
    errors: tuple[Mapping[str, Any], ...] = ()


def summary_of(folder: Path) -> dict[str, Any]:
    """The stored summary; without one, what can be worked out from the records.

    Raises:
        ResultsIncomplete: the records are damaged.
    """
    return read_summary(folder) or _worked_out(load_run(folder), entry(folder).status)


def _worked_out(run: Run, status: str) -> dict[str, Any]:
    # Most runs have a summary of their own, and then nothing has to be measured.
    from simulator.measure.so_far import summarize_so_far
    from simulator.measure.summary import summarize

    return summarize_so_far(run) if status == "running" else summarize(run)


def stored(folder: Path) -> Stored:
    """Read a run for a report.

    Raises:
        UsageError: it is no run.
        ResultsIncomplete: its records are damaged.
    """
    found = read_agreement(folder)
    made = _alone(folder)
    if found is None:
        return made
    return replace(made, beside=_alone(found.model), errors=found.rows)


def _alone(folder: Path) -> Stored:
    run = load_run(folder)
    status = entry(folder).status
    return Stored(
        folder=folder,
        status=status,
        run=run,
        summary=read_summary(folder) or _worked_out(run, status),
    )
