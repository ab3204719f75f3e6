"""Colours: 28 series differ, tints go from pale to full, and all can be seen on either ground."""

from __future__ import annotations

import pytest

from simulator.report.charts import colours


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_series_in_turn_differ() -> None:
    assert len({colours.style(index) for index in range(28)}) == 28


@pytest.mark.parametrize("colour", colours.IN_TURN)
def test_each_stands_out_on_light_and_on_dark(colour: str) -> None:
    own = luminance(colour)
    assert 1.05 / (own + 0.05) > 1.9, "too pale for a white ground"
    assert (own + 0.05) / (luminance("#14181d") + 0.05) > 3.0, "too dark for a dark ground"


def test_tints_end_at_the_colour_itself() -> None:
    found = colours.tints("#009e73", 4)
    assert found[-1] == "#009e73"
    assert [luminance(one) for one in found] == sorted(map(luminance, found), reverse=True)
    assert colours.tints("#123456", 1) == ("#123456",)
