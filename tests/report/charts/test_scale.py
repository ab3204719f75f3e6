"""Axes: values land where they should, and ticks are what people expect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.report.charts.chart import Axis, Chart, Level, Line
from simulator.report.charts.scale import Scale, ends, said, ticks, x_values, y_values

PLAIN = Axis(title="x")


@given(value=st.floats(1, 1000), log=st.booleans())
def test_values_between_the_ends_land_between_them(value: float, log: bool) -> None:
    scale = Scale(low=1.0, high=1000.0, start=300.0, end=20.0, log=log)
    assert 20.0 - 1e-6 <= scale.at(value) <= 300.0 + 1e-6
    assert scale.at(1.0) == pytest.approx(300.0)
    assert scale.at(1000.0) == pytest.approx(20.0)


@given(values=st.lists(st.floats(0, 1e12), max_size=20))
def test_ticks_are_few_in_order_and_inside(values: list[float]) -> None:
    low, high = ends(PLAIN, values)
    assert low == 0.0
    assert high > low
    found = [value for value, _ in ticks(PLAIN, low, high)]
    assert 1 <= len(found) <= 12
    assert found == sorted(found)
    assert all(low - 1e-6 <= one <= high * (1 + 1e-9) for one in found)


@given(values=st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=20))
def test_log_axes_end_at_decades(values: list[float]) -> None:
    axis = Axis(title="y", log=True, unit="ns")
    low, high = ends(axis, values)
    assert low <= min(values) * (1 + 1e-6)
    assert high >= max(values) * (1 - 1e-6)
    assert 1 <= len(ticks(axis, low, high)) <= 13


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (412_000, "ns", "412us"),
        (1.5, "s", "1.5s"),
        (0, "s", "0s"),
        (2000, "rate", "2,000/s"),
        (0.35, "share", "35 %"),
        (50_000, "port", "50000"),
        (50_000, "count", "50,000"),
        (2048, "bytes", "2KiB"),
    ],
)
def test_ticks_are_written_in_their_unit(value: float, unit: str, text: str) -> None:
    assert said(value, unit) == text  # type: ignore[arg-type]


def test_lanes_stand_from_top_to_bottom() -> None:
    axis = Axis(title="backend", lanes=("a", "b", "c"))
    assert ends(axis, []) == (2.5, -0.5)
    assert ticks(axis, 2.5, -0.5) == [(0.0, "a"), (1.0, "b"), (2.0, "c")]


def test_levels_and_heaps_of_areas_count_for_the_ends() -> None:
    areas = [
        Line(name=name, x=(0.0, 1.0), y=(3.0, None), colour="#000000", form="area")
        for name in ("a", "b")
    ]
    chart = Chart(
        name="c",
        title="t",
        says="s",
        x=PLAIN,
        y=PLAIN,
        lines=tuple(areas),
        levels=(Level(at=5.0, text="l"),),
    )
    assert max(y_values(chart)) == 6.0
    assert 5.0 in y_values(chart)
    assert set(x_values(chart)) == {0.0, 1.0}
