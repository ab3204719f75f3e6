"""Units of benches as units of an axis."""

from __future__ import annotations

import pytest

from simulator.report.charts.measured_unit import measured


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("us/connection", ("ns", 1e3)),
        ("ms", ("ns", 1e6)),
        ("s", ("ns", 1e9)),
        ("bytes/connection", ("bytes", 1)),
        ("MB", ("bytes", 1e6)),
        ("connections/s", ("rate", 1)),
        ("of one core", ("share", 1)),
        ("connections", ("count", 1)),
        ("x of 1 %", ("count", 1)),
    ],
)
def test_a_unit_is_told_by_its_first_word(unit: str, wanted: tuple[str, float]) -> None:
    assert measured(unit) == wanted
