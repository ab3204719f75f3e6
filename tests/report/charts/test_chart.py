"""The chart as a value: a grid knows the colour of each of its cells."""

from __future__ import annotations

import numpy as np

from simulator.report.charts.chart import Grid, Shade


def test_the_palette_holds_all_shades_in_order() -> None:
    nothing = np.zeros((1, 1), dtype=np.uint8)
    shades = (
        Shade(name="a", colours=("#111111", "#222222")),
        Shade(name="b", colours=("#333333",)),
    )
    grid = Grid(start=0, end=1, low=0, high=1, cells=nothing, full=nothing, shades=shades)
    assert grid.palette == ("#111111", "#222222", "#333333")
