"""Tuples over time: the wall where it is near, a flat line where it is far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.report.charts.occupancy import occupancy
from tests.support.pages import BUDGET, story

if TYPE_CHECKING:
    from pathlib import Path


def test_the_hop_that_ran_out_comes_first_with_its_wall(tmp_path: Path) -> None:
    full, calm = occupancy(story(tmp_path))
    assert full.name == "tuples-balancer-backend"
    assert [level.at for level in full.levels] == [BUDGET]
    (waiting,) = (line for line in full.lines if line.name == "TIME_WAIT")
    assert waiting.y[-1] == BUDGET
    assert "from 1.9 s on, connections found no port" in full.says
    assert calm.levels == ()
    assert calm.y.high is not None
    assert calm.y.high > 100 * 3  # three tuples of 28,000 shall look like what they are
    assert "27,997 were always left" in calm.says


def test_the_model_stands_beside_as_a_dashed_line(tmp_path: Path) -> None:
    told = story(tmp_path)
    chart = next(occupancy(replace(told, modelled=told)))
    assert [line.dash for line in chart.lines] == ["", "", "", "6 4"]
