"""The ways through one loss system serve the same connections, whatever their speed."""

from __future__ import annotations

import pytest

from simulator.bench.model_speed import HOLD_MS, RATE_PER_S, TUPLES, WAYS, Speed, measure, table
from simulator.theory.erlang import erlang_b


def test_all_ways_serve_the_same_and_lose_as_erlang_says() -> None:
    found = measure(600_000)
    assert {one.name for one in found} >= {"numpy", "arrays", "events"}
    assert [one.name for one in found] == [name for name in WAYS if name in {o.name for o in found}]
    # Two that fall on one nanosecond may be served in another order by somebody else.
    for one in found:
        assert one.same > 0.999, one
    assert all(one.same == 1 for one in found if one.name in ("numpy", "jit", "arrays"))
    offered = RATE_PER_S * HOLD_MS / 1000
    assert found[0].lost == pytest.approx(erlang_b(TUPLES, offered), rel=0.03)


def test_the_table_says_against_what_and_who_is_missing() -> None:
    counts = {"lost": 0.2, "same": 1.0}
    fast = Speed(name="numpy", connections=1_000_000, core_s=0.5, whole_s=1.0, **counts)
    slow = Speed(name="simpy", connections=10_000, core_s=0.1, whole_s=0.2, **counts)
    lines = table([fast, slow]).splitlines()
    assert "2,000,000" in lines[1]
    assert "1,000,000" in lines[1]
    assert "20.0x" in lines[1]
    assert lines[-2:] == [
        "against: the core of simpy", "not installed: jit, arrays, events, ciw"
    ]  # fmt: skip
