"""The ways through one loss system serve the same connections, whatever their speed."""

from __future__ import annotations

import pytest
from scipy import stats

from simulator.bench.model_speed import HOLD_MS, RATE_PER_S, TUPLES, Speed, measure, table


def test_all_ways_serve_the_same_and_lose_as_erlang_says() -> None:
    found = measure(250_000, 15_000)
    assert [one.name for one in found][:2] == ["arrays", "events"]
    # Two that fall on one nanosecond may be served in another order by somebody else.
    assert all(one.same > 0.999 for one in found)
    offered = RATE_PER_S * HOLD_MS / 1000
    expected = stats.poisson.pmf(TUPLES, offered) / stats.poisson.cdf(TUPLES, offered)
    assert found[0].lost == pytest.approx(expected, rel=0.03)


def test_the_table_says_against_what() -> None:
    fast = Speed(name="arrays", connections=1_000_000, seconds=0.5, lost=0.2, same=1.0)
    slow = Speed(name="events", connections=10_000, seconds=0.1, lost=0.2, same=1.0)
    lines = table([fast, slow]).splitlines()
    assert "2,000,000" in lines[1]
    assert "20.0x" in lines[1]
    assert lines[-1] == "against: events"
