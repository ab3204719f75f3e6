"""Runs of the model engine, in this process: no socket, no namespace, no waiting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from simulator.experiment import answer, questions
from simulator.model.engine import ModelEngine
from simulator.scenario.load import load_file
from simulator.store.read import load_run
from tests.support.command import SCENARIOS
from tests.support.jobs import Watcher
from tests.support.scenarios import loaded

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Run
    from simulator.scenario.load import Loaded

    Modelled = tuple[dict[str, Any], Run]


def _run(asked: Loaded, root: Path, watch: Watcher | None) -> dict[str, Modelled]:
    found = {}
    for question in questions(asked):
        done = asyncio.run(answer(question, ModelEngine(), watch or Watcher(), root, ["test"]))
        found[question.variant] = (done.summary, load_run(done.folder))
    return found


def modelled(text: str, root: Path, *overrides: str, watch: Watcher | None = None) -> Modelled:
    """The summary and the records of a scenario's text."""
    [found] = _run(loaded(text, *overrides), root, watch).values()
    return found


def modelled_file(name: str, root: Path, *overrides: str) -> dict[str, Modelled]:
    """The same of every variant of a shipped scenario."""
    return _run(load_file(SCENARIOS / f"{name}.yaml", overrides=overrides), root, None)
