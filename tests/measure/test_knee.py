"""A knee is found where a jump was put, in noise too, and none where there was none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.measure.knee import STEPS, curve, knee

Floats = np.ndarray[Any, Any]
FULL = np.arange(4096) / 4096


def noisy(cost: Floats, seed: int) -> Floats:
    """Times as they are measured: half as much again now and then, and rarely ten times as much."""
    draw = np.random.default_rng(seed)
    rare = np.where(draw.random(len(cost)) < 0.02, 10.0, 1.0)
    found: Floats = cost * draw.lognormal(0, 0.4, len(cost)) * rare
    return found


@settings(max_examples=20)
@given(at=st.floats(0.1, 0.9), jump=st.floats(3, 40), seed=st.integers(0, 99))
def test_a_jump_is_found_to_half_a_percent(at: float, jump: float, seed: int) -> None:
    found = knee(FULL, noisy(np.where(at > FULL, 40.0, 40.0 * jump), seed))
    assert found is not None
    assert found == pytest.approx(at, abs=1.01 / STEPS)


@settings(max_examples=20)
@given(seed=st.integers(0, 99), drift=st.floats(1, 1.5))
def test_noise_and_drift_are_no_knee(seed: int, drift: float) -> None:
    assert knee(FULL, noisy(40 * drift**FULL, seed)) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_busy_while_is_no_knee(seed: int) -> None:
    # For a tenth of the run, early or late in it, everything takes three times as long.
    begins = 0.15 + np.random.default_rng(seed).random() * 0.6
    busy = np.abs(FULL - begins - 0.05) < 0.05
    assert knee(FULL, noisy(np.where(busy, 120.0, 40.0), seed)) is None


def test_a_curve_that_nobody_climbed_has_none() -> None:
    assert knee(FULL[:300], np.full(300, 5.0)) is None
    assert knee(np.zeros(0), np.zeros(0)) is None


def test_a_curve_is_medians_by_half_percents() -> None:
    middle, medians = curve(np.array([0.0, 0.004, 0.001, 0.5, 1.0]), np.array([1, 9, 3, 7, 5]))
    assert middle.tolist() == pytest.approx([0.0025, 0.5025, 0.9975])
    assert medians.tolist() == [3, 7, 5]
