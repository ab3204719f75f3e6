"""The heat map: cells by state and fullness, regions, and the gist in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.report.charts.port_space import port_spaces
from tests.support.pages import story

if TYPE_CHECKING:
    from pathlib import Path


def test_the_map_fills_up_in_the_colour_of_time_wait(tmp_path: Path) -> None:
    (chart,) = port_spaces(story(tmp_path))  # one hop only has its ports told
    assert chart.name == "ports-balancer-backend"
    grid = chart.grid
    assert grid is not None
    assert grid.cells.shape[0] == 100
    assert not grid.cells[:, 0].any()
    waiting = 1 + 2 * 4 - 1  # the darkest of the second state
    assert (grid.cells[:, -1] == waiting).all()
    assert (grid.full[:, -1] == 100).all()
    assert grid.palette[waiting - 1] == "#e69f00"
    assert [band.text for band in chart.bands] == ["Dynamic 49152-65535"]
    assert "100 of 100 ports were in use (100 in TIME_WAIT)" in chart.says
