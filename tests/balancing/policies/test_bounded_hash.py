"""Bounded loads: nobody is ever above the bound; a wide bound is ring hash."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.balancing.load import Load
from simulator.balancing.policies.bounded_hash import BoundedHash
from simulator.balancing.policies.ring_hash import RingHash
from simulator.balancing.weights import Weights


def members(count: int) -> tuple[list[int], Load]:
    load = Load()
    for backend in range(count):
        load.insert(backend)
    return list(range(count)), load


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 8),
    st.sampled_from([1.05, 1.25, 2.0]),
    st.lists(st.integers(0, 5), min_size=1, max_size=120),
)
def test_nobody_is_above_the_bound(count: int, bound: float, keys: list[int]) -> None:
    eligible, load = members(count)
    policy = BoundedHash(Weights(), bound)
    for number, key in enumerate(keys):
        load.opened(policy.pick(eligible, load, (), key))
        assert max(load.open) <= math.ceil(bound * (number + 1) / count)


def test_a_wide_bound_is_ring_hash() -> None:
    eligible, load = members(6)
    wide, ring = BoundedHash(Weights(), 1e9, salt=2), RingHash(Weights(), salt=2)
    for key in range(500):
        picked = wide.pick(eligible, load, (), key)
        assert picked == ring.pick(eligible, load, (), key)
        load.opened(picked)


def test_one_hot_key_spills_over_where_ring_hash_would_not() -> None:
    eligible, load = members(5)
    policy = BoundedHash(Weights(), 1.25)
    for _ in range(100):
        load.opened(policy.pick(eligible, load, (), 77))
    assert max(load.open) == 25
    assert sum(load.open) == 100


def test_a_bound_of_one_or_less_is_refused() -> None:
    with pytest.raises(ValueError, match="above 1"):
        BoundedHash(Weights(), 1.0)
