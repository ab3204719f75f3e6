"""The time to the wall: by hand, by Little's law, and against small steps of time."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.theory.time_to_wall import time_to_wall_s


def wall_s(
    budget: int,
    *,
    open_now: float = 0,
    growth: float = 0,
    closing: float = 0,
    blocked: float = 60,
    remaining: tuple[float, ...] = (),
) -> float:
    return time_to_wall_s(
        budget=budget,
        open_now=open_now,
        growth_per_s=growth,
        closing_per_s=closing,
        blocked_s=blocked,
        remaining_s=np.array(remaining, float),
    )


def test_from_a_standing_start_the_wall_is_budget_by_rate() -> None:
    assert wall_s(28_232, closing=1_000) == pytest.approx(28.232)


def test_below_the_ceiling_there_is_no_wall_although_use_grows_now() -> None:
    # 300/s x 60 s = 18,000 of 28,232; a straight line through the first minute would say 94 s.
    assert wall_s(28_232, closing=300) == inf
    assert wall_s(28_232, closing=28_232 / 60 + 1) == pytest.approx(59.87, abs=0.01)


def test_what_is_in_time_wait_comes_back_at_its_own_time() -> None:
    # 50 come back at once after 1 s; until 100 + 10 t - 50 = 120 it takes 7 s, not 2.
    assert wall_s(120, closing=10, remaining=(1.0,) * 50 + (30.0,) * 50) == pytest.approx(7.0)


def test_a_steady_state_stays() -> None:
    remaining = tuple(np.arange(1, 6_001) / 100)
    assert wall_s(6_100, closing=100, remaining=remaining) == inf
    assert wall_s(6_000, closing=100, remaining=remaining) == 0


def test_a_timer_a_tick_too_long_ends_all_the_same() -> None:
    told = wall_s(11, closing=0.005, growth=0.005, remaining=(60.004,) * 10)
    assert told == pytest.approx((11 - 0.005 * 60) / 0.005)


def test_growth_of_open_connections_alone_reaches_it() -> None:
    assert wall_s(1_000, open_now=500, growth=5) == pytest.approx(100)
    assert wall_s(1_000, open_now=500, growth=-5) == inf


@given(
    budget=st.integers(1, 400),
    open_now=st.integers(0, 200),
    growth=st.floats(-2, 5),
    closing=st.floats(0, 20),
    blocked=st.floats(0.5, 20),
    shares=st.lists(st.floats(0.01, 1), max_size=60),
)
def test_small_steps_of_time_find_the_same(
    budget: int, open_now: int, growth: float, closing: float, blocked: float, shares: list[float]
) -> None:
    remaining = tuple(share * blocked for share in shares)
    answer = wall_s(
        budget,
        open_now=open_now,
        growth=growth,
        closing=closing,
        blocked=blocked,
        remaining=remaining,
    )
    times = np.linspace(0, 3 * blocked, 6_001)
    left = (np.array(remaining)[:, None] > times).sum(axis=0) if remaining else 0 * times
    in_use = open_now + max(0, growth) * times + closing * np.minimum(times, blocked) + left
    step = times[1]
    before = in_use[times < answer - 1e-6]
    assert (before < budget + 1e-6).all()
    if answer + step < times[-1]:
        # It is reached there, up to tuples that come back at the very moment.
        near = in_use[(times >= answer - step) & (times <= answer + step)]
        slack = (max(0, growth) + closing) * step + 1e-6
        came_back = sum(abs(each - answer) <= 2 * step for each in remaining)
        assert near.max() >= budget - slack - came_back
