"""The fluid against waves, ramps and exponential rises that are known by hand."""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.seeds import generator
from simulator.theory.filling import lasts_rising_s
from simulator.theory.fluid import Course, Stage, Stay, fluid, stay_of, unlimited

STEP_S = 0.001


def run(
    rate: float, seconds: float, stay: Stay, *stages: tuple[float, float], step_s: float = STEP_S
) -> Course:
    steps = round(seconds / step_s)
    hops = [Stage(capacity=room, blocked_steps=blocked / step_s) for room, blocked in stages]
    return fluid(np.full(steps, rate * step_s), [stay], np.zeros(steps, dtype=np.int64), hops)


def at_once() -> Stay:
    return stay_of(np.zeros(1), STEP_S)


def test_the_tuples_are_lent_in_waves() -> None:
    course = run(1500, 2.0, at_once(), (500, 0.5))
    assert course.taken.sum() == pytest.approx(500 * 2.0 / 0.5, rel=1e-3)
    # A wave of 500 takes 1/3 s; the rest of each half second is refused.
    first = np.flatnonzero(course.refused[0] > 1e-9)[0] * STEP_S
    assert first == pytest.approx(500 / 1500, abs=2 * STEP_S)
    assert course.in_use[0].max() == pytest.approx(500)


def test_below_the_ceiling_littles_law_holds() -> None:
    course = run(700, 3.0, stay_of(np.full(1, 0.1234), STEP_S), (500, 0.5))
    assert not course.refused.any()
    assert course.in_use[0, -1] == pytest.approx(700 * 0.6234, rel=2e-3)
    assert course.is_open[-1] == pytest.approx(700 * 0.1234, rel=5e-3)


def test_an_exponential_life_fills_by_its_own_law() -> None:
    times = generator(1, "fluid").exponential(0.3, 20_000)
    course = run(1000, 1.0, stay_of(times, STEP_S), (10_000, 0.0))
    for second in (0.1, 0.5, 0.99):
        wanted = 1000 * 0.3 * (1 - exp(-second / 0.3))
        assert course.is_open[round(second / STEP_S)] == pytest.approx(wanted, rel=0.02)


def test_a_rising_rate_meets_the_wall_where_the_closed_form_says() -> None:
    times = np.arange(8001) * STEP_S
    offered = np.diff(500 * times + 2500 / 16 * times**2)
    kinds = np.zeros(len(offered), dtype=np.int64)
    hops = [Stage(capacity=1000, blocked_steps=0.5 / STEP_S)]
    course = fluid(offered, [at_once()], kinds, hops)
    first = np.flatnonzero(course.refused[0] > 1e-9)[0] * STEP_S
    assert first == pytest.approx(lasts_rising_s(1000, 500, 2500 / 8, 0.5), abs=3 * STEP_S)


def test_the_first_hop_without_room_refuses_and_the_others_are_spared() -> None:
    course = run(1000, 1.0, at_once(), (600, inf), (300, inf))
    assert course.taken.sum() == pytest.approx(300)
    # What the second refuses has passed the first, which keeps nothing of it.
    assert course.refused[1].sum() == pytest.approx(700)
    assert course.in_use[0, -1] == pytest.approx(300)


def test_held_connections_close_together() -> None:
    stay = Stay(steps=np.zeros(1, dtype=np.int64), shares=np.ones(1), until=600)
    course = run(100, 1.0, stay, (50, 0.1))
    assert course.is_open[599] == pytest.approx(50)
    assert course.is_open[600] == pytest.approx(0)
    assert course.in_use[0, 650] == pytest.approx(50)
    assert course.in_use[0, 720] < 50


def test_a_long_step_keeps_the_means_of_short_times() -> None:
    short = stay_of(np.full(1, 0.02), 0.1)
    course = run(100, 10.0, short, (1000, 0.03), step_s=0.1)
    assert course.in_use[0, -1] == pytest.approx(100 * 0.05)
    blocked = run(100, 10.0, short, (2, 0.03), step_s=0.1)
    assert blocked.taken.sum() / 10 == pytest.approx(2 / 0.05, rel=0.02)


@given(
    st.floats(1, 3000), st.floats(0, 400), st.floats(0, 0.3), st.floats(0, 0.3), st.integers(0, 99)
)
def test_nothing_is_lost_and_no_hop_holds_more_than_it_has(
    rate: float, room: float, open_s: float, blocked_s: float, seed: int
) -> None:
    times = generator(seed, "stays").random(50) * open_s
    course = run(rate, 0.4, stay_of(times, STEP_S), (room, blocked_s))
    assert course.offered.sum() == pytest.approx(course.taken.sum() + course.refused.sum())
    assert course.in_use.max() <= room + 1e-6
    assert course.in_use.min() >= -1e-6
    free = fluid(
        course.offered,
        [stay_of(times, STEP_S)],
        np.zeros(400, dtype=np.int64),
        unlimited([Stage(capacity=room, blocked_steps=blocked_s / STEP_S)]),
    )
    assert not free.refused.any()
