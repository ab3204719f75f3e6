"""Planned moves: seeded, consistent with who is present, at the rate that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.traffic.churn import Move, first_backends, plan_moves
from simulator.traffic.plan import make_plan
from tests.support.runs import scenario

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

S = 1_000_000_000


def moving(count: int = 4, seconds: int = 10, seed: int = 1, **churn: Any) -> Scenario:  # noqa: ANN401
    traffic = [{"name": "steady", "for": f"{seconds}s", "arrivals": {"constant": "10/s"}}]
    return scenario(backends={"count": count, "churn": churn}, traffic=traffic, seed=seed)


def told(moves: tuple[Move, ...]) -> list[tuple[float, int, str]]:
    return [(move.t_ns / S, move.backend, move.how or move.action) for move in moves]


def test_without_churn_nobody_moves() -> None:
    assert plan_moves(scenario()) == ()
    assert first_backends(scenario(backends={"count": 7})) == 7


def test_departures_at_given_times_return_after_their_time_away() -> None:
    at = [{"time": "1s", "backends": "all", "leave": "crash", "away": "2s"}, {"time": "5s"}]
    moves = told(plan_moves(moving(count=2, away="1s", at=at)))
    assert moves[:4] == [(1, 0, "crash"), (1, 1, "crash"), (3, 0, "back"), (3, 1, "back")]
    who = moves[4][1]
    assert moves[4:] == [(5, who, "drain"), (6, who, "back")]


def test_who_is_away_cannot_leave_again() -> None:
    at = [{"time": "1s", "backends": "all"}, {"time": "2s", "backends": "all"}]
    assert len(plan_moves(moving(count=3, away="5s", at=at))) == 6


def test_nobody_moves_after_the_last_phase() -> None:
    moves = plan_moves(moving(away="30s", at=[{"time": "1s"}]))
    assert told(moves) == [(1, moves[0].backend, "drain")]


def test_a_schedule_brings_and_takes_the_highest_ids() -> None:
    scale = [{"time": "0s", "count": 1}, {"time": "2s", "count": 4}, {"time": "6s", "count": 2}]
    asked = moving(scale=scale)
    assert first_backends(asked) == 1
    back = [(2, 1, "back"), (2, 2, "back"), (2, 3, "back")]
    assert told(plan_moves(asked)) == [*back, (6, 2, "drain"), (6, 3, "drain")]


def test_who_is_not_wanted_any_more_does_not_come_back() -> None:
    scale = [{"time": "3s", "count": 1}, {"time": "8s", "count": 2}]
    at = [{"time": "1s", "backends": "all", "away": "4s"}]
    moves = told(plan_moves(moving(count=2, at=at, scale=scale)))
    assert moves == [(1, 0, "drain"), (1, 1, "drain"), (5, 0, "back"), (8, 1, "back")]


@pytest.mark.parametrize("rate", [1, 20])
def test_departures_at_a_rate_are_a_poisson_process(rate: int) -> None:
    asked = moving(count=64, seconds=300, rate=f"{rate}/s", away="0ms")
    times = [move.t_ns / S for move in plan_moves(asked) if move.action == "leave"]
    assert stats.poisson(rate * 300).cdf(len(times)) == pytest.approx(0.5, abs=0.499)
    assert stats.kstest(times, "uniform", args=(0, 300)).pvalue > 1e-3


def test_everybody_leaves_equally_often() -> None:
    moves = plan_moves(moving(count=8, seconds=300, rate="20/s", away="10ms"))
    left = [move.backend for move in moves if move.action == "leave"]
    assert stats.chisquare([left.count(one) for one in range(8)]).pvalue > 1e-3


def test_moves_never_shift_the_plan_and_follow_the_seed() -> None:
    still, churned = moving(at=[{"time": "1s"}]), moving(rate="5/s", away="1s")
    assert make_plan(still).digest == make_plan(churned).digest
    assert plan_moves(churned) == plan_moves(moving(rate="5/s", away="1s"))
    assert plan_moves(churned) != plan_moves(moving(rate="5/s", away="1s", seed=2))


@settings(max_examples=60)
@given(
    count=st.integers(1, 6),
    rate=st.integers(1, 30),
    away=st.integers(0, 3000),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6)), max_size=4),
    seed=st.integers(0, 1000),
)
def test_whoever_leaves_was_there_and_whoever_comes_was_not(
    count: int, rate: int, away: int, steps: list[tuple[int, int]], seed: int
) -> None:
    times = sorted({at: min(wanted, count) for at, wanted in steps}.items())
    scale = [{"time": f"{at}s", "count": wanted} for at, wanted in times]
    asked = moving(count, seed=seed, rate=f"{rate}/s", away=f"{away}ms", scale=scale)
    present = set(range(first_backends(asked)))
    last = 0
    for move in plan_moves(asked):
        assert last <= move.t_ns < asked.duration_ns
        last = move.t_ns
        assert (move.backend in present) == (move.action == "leave")
        present ^= {move.backend}
        wanted = next((n for at, n in reversed(times) if at * S <= move.t_ns), count)
        assert move.action == "leave" or move.backend < wanted
