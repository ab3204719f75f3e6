"""CPU and memory over time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.report.charts.resources import resources
from tests.support.pages import story

if TYPE_CHECKING:
    from pathlib import Path


def test_roles_are_lines_of_cores_and_of_bytes(tmp_path: Path) -> None:
    cpu, memory = resources(story(tmp_path))
    assert [line.name for line in cpu.lines] == ["client", "balancer", "backend"]
    assert cpu.lines[0].y[0] == pytest.approx(0.3)
    assert "30 % of a core" in cpu.says
    assert set(memory.lines[0].y) == {30_000_000.0}


def test_a_run_of_the_model_has_none(tmp_path: Path) -> None:
    told = story(tmp_path)
    assert list(resources(replace(told, run=replace(told.run, roles=[])))) == []
