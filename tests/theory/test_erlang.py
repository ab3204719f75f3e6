"""Erlang B against scipy's Poisson, the balance equations of a chain, and brute force."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from simulator.seeds import generator
from simulator.theory.erlang import (
    carried_per_s,
    erlang_b,
    erlang_b_at,
    servers_for,
    with_retries,
)


@pytest.mark.parametrize(
    ("servers", "load"), [(1, 0.5), (10, 3.0), (64, 60.0), (1000, 990.0), (1000, 1500.0)]
)
def test_it_is_the_truncated_poisson_distribution(servers: int, load: float) -> None:
    # B(n, a) = P(X = n) / P(X <= n) for X Poisson of mean a.
    wanted = poisson.pmf(servers, load) / poisson.cdf(servers, load)
    assert erlang_b(servers, load) == pytest.approx(wanted, rel=1e-9)


def test_one_server_is_known_by_hand() -> None:
    assert erlang_b(1, 3.0) == 3 / 4
    assert erlang_b(2, 1.0) == pytest.approx(1 / 5)
    assert erlang_b(0, 2.0) == 1.0
    assert erlang_b(0, 0.0) == 1.0
    assert erlang_b(3, 0.0) == 0.0


def test_it_is_stable_to_a_million_servers() -> None:
    million = 1_000_000
    # At a = n the loss goes to sqrt(2 / (pi n)).
    assert erlang_b(million, million) == pytest.approx(np.sqrt(2 / (np.pi * million)), rel=2e-3)
    assert erlang_b(million, 2.0 * million) == pytest.approx(0.5, rel=1e-5)
    assert erlang_b(million, 0.5 * million) == 0.0  # smaller than any float, and no error


@given(st.integers(0, 60), st.floats(0.01, 200))
def test_it_is_a_share_that_falls_with_servers_and_rises_with_load(
    servers: int, load: float
) -> None:
    lost = erlang_b(servers, load)
    assert 0 <= lost <= 1
    assert erlang_b(servers + 1, load) < lost
    assert erlang_b(servers, load * 1.1) >= lost
    # Nobody carries more than there are servers, nor more than is asked.
    assert load * (1 - lost) <= min(servers, load) * (1 + 1e-12)


def test_many_loads_at_once_are_the_same_as_one_by_one() -> None:
    loads = np.array([0.0, 10.0, 40.0, 55.5, 63.0, 64.0, 70.25, 200.0])
    wanted = [erlang_b(64, float(load)) for load in loads]
    assert erlang_b_at(64, loads) == pytest.approx(wanted, rel=5e-3, abs=1e-12)
    assert not erlang_b_at(1000, np.array([0.0, 100.0, 600.0])).any()
    assert erlang_b_at(0, np.array([2.0])) == pytest.approx([1.0])


def test_the_fewest_servers_are_the_first_that_do() -> None:
    servers = servers_for(100.0, 0.01)
    assert erlang_b(servers, 100.0) <= 0.01 < erlang_b(servers - 1, 100.0)
    assert servers_for(0.0, 0.5) == 0


def _lost(servers: int, rate: float, held: float, seed: int, pause: float = 0.0) -> list[int]:
    """Attempts, and arrivals that gave up after three, of a system simulated one by one.

    The time held is constant; the first tenth of the arrivals is left out.
    """
    stream = generator(seed, "erlang")
    due = np.cumsum(stream.exponential(1 / rate, 40_000))
    ready = [(float(at), 0, number) for number, at in enumerate(due)]
    busy: list[float] = []
    counts = [0, 0, 0]
    while ready:
        now, attempt, number = heappop(ready)
        while busy and busy[0] <= now:
            heappop(busy)
        counted = number >= len(due) // 10
        counts[0] += counted
        if len(busy) < servers:
            heappush(busy, now + held)
            continue
        counts[1] += counted
        if attempt < 2 and pause:
            heappush(ready, (now + stream.exponential(pause), attempt + 1, number))
        else:
            counts[2] += counted
    return counts


def test_a_constant_hold_loses_the_same_as_any_other() -> None:
    attempts, lost, _ = _lost(20, rate=18.0, held=1.0, seed=5)
    assert lost / attempts == pytest.approx(erlang_b(20, 18.0), rel=0.06)
    assert carried_per_s(20, 18.0, 1.0) == 18.0 * (1 - erlang_b(20, 18.0))


def test_retries_after_long_pauses_are_the_fixed_point() -> None:
    attempts, lost, gave_up = _lost(20, rate=18.0, held=1.0, seed=5, pause=20.0)
    share, load = with_retries(20, 18.0, 3)
    assert lost / attempts == pytest.approx(share, rel=0.06)
    assert gave_up / 36_000 == pytest.approx(share**3, rel=0.15)
    assert load == pytest.approx(18.0 * (1 + share + share**2))
    assert share > erlang_b(20, 18.0)


def test_one_attempt_is_plain_erlang() -> None:
    assert with_retries(20, 18.0, 1) == pytest.approx((erlang_b(20, 18.0), 18.0))


def test_what_makes_no_sense_is_refused() -> None:
    for call in (
        lambda: erlang_b(-1, 1.0),
        lambda: erlang_b(1, -1.0),
        lambda: erlang_b_at(1, np.array([-1.0])),
        lambda: servers_for(1.0, 0.0),
        lambda: with_retries(1, 1.0, 0),
    ):
        with pytest.raises(ValueError, match=r"negative|above 0|at least"):
            call()
