"""The moment of a wall under a rising rate, against its arrivals counted one by one."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from simulator.theory.filling import lasts_rising_s
from simulator.theory.little import lasts_s
from simulator.traffic.arrivals import constant_arrivals
from simulator.traffic.plan import overlap_at
from simulator.units import NS_PER_S


@pytest.mark.parametrize(
    ("tuples", "low", "high", "held_s"),
    [(1000, 500, 3000, 0.5), (1000, 500, 3000, 60.0), (400, 100, 900, 1.5)],
)
def test_it_is_where_the_arrivals_themselves_run_out(
    tuples: int, low: float, high: float, held_s: float
) -> None:
    for_s = 8.0
    due = constant_arrivals(low, high, int(for_s * NS_PER_S))
    held = np.full(len(due), int(held_s * NS_PER_S))
    first = due[np.flatnonzero(overlap_at(due, held) > tuples)[0]] / NS_PER_S
    assert lasts_rising_s(tuples, low, (high - low) / for_s, held_s) == pytest.approx(
        first, abs=2 / low + 0.002
    )


def test_a_slow_rise_from_nothing_is_met_half_a_hold_late() -> None:
    assert lasts_rising_s(10_000, 0, 1.0, 100.0) == pytest.approx(100 + 50)
    # The steadier the rate, the nearer to the steady answer.
    assert lasts_rising_s(100, 50, 1e-9, 10.0) == pytest.approx(lasts_s(100, 50, 10, 0), rel=1e-6)


def test_the_edges() -> None:
    assert lasts_rising_s(10, 1, 1, 0) == inf
    assert lasts_rising_s(0, 0, 1, 1) == 0
    with pytest.raises(ValueError, match="negative"):
        lasts_rising_s(1, 1, 0, 1)
