"""The chart as a value: a grid knows the colour of each of its cells; a name is fit for markup."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator.report.charts.chart import Grid, Shade
from simulator.slugs import is_slug
from tests.support.drawn import lines_chart
from tests.support.pages import ESCAPES, HOSTILE


def test_the_palette_holds_all_shades_in_order() -> None:
    nothing = np.zeros((1, 1), dtype=np.uint8)
    shades = (
        Shade(name="a", colours=("#111111", "#222222")),
        Shade(name="b", colours=("#333333",)),
    )
    grid = Grid(start=0, end=1, low=0, high=1, cells=nothing, full=nothing, shades=shades)
    assert grid.palette == ("#111111", "#222222", "#333333")


def test_a_name_with_parts_from_outside_is_fit_to_stand_in_markup() -> None:
    assert lines_chart("tuples-client-balancer").name == "tuples-client-balancer"
    for name in (HOSTILE, ESCAPES, ""):
        made = replace(lines_chart(), name=f"tuples-{name}").name
        assert is_slug(made)
        assert made.startswith("tuples")
