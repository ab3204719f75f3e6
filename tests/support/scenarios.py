"""Small scenarios for tests, as text and as checked values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.scenario.complaint import ScenarioComplaintsError
from simulator.scenario.load import Loaded, load_text

if TYPE_CHECKING:
    from simulator.scenario.complaint import Complaint
    from simulator.scenario.schema import Scenario

SMALL = """\
title: small
traffic:
  - name: only
    for: 1s
    arrivals: {constant: 10/s}
"""


def loaded(text: str, *overrides: str, seed: int | None = None) -> Loaded:
    """A scenario file's text, read."""
    return load_text(text, "test.yaml", overrides=overrides, seed=seed)


def small(*overrides: str, seed: int | None = None) -> Scenario:
    """The smallest scenario with some values changed, ``path=value``."""
    return loaded(SMALL, *overrides, seed=seed).scenario


def complaints(text: str, *overrides: str) -> tuple[Complaint, ...]:
    """Everything that is wrong with a text; fails when nothing is."""
    try:
        loaded(text, *overrides)
    except ScenarioComplaintsError as error:
        return error.complaints
    raise AssertionError("the scenario was accepted")
