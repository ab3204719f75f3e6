"""Round robin: equal turns, also with some left out and some gone."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.load import Load
from simulator.balancing.policies.round_robin import RoundRobin


@given(st.integers(1, 40), st.integers(0, 100), st.integers(0, 300))
def test_shares_differ_by_one_at_most(backends: int, start: int, picks: int) -> None:
    policy = RoundRobin(start)
    eligible = list(range(backends))
    counts = Counter(policy.pick(eligible, Load(), ()) for _ in range(picks))
    shares = [counts[one] for one in eligible]
    assert sum(shares) == picks
    assert max(shares) - min(shares) <= 1


def test_it_goes_round_in_order_and_starts_where_it_is_told() -> None:
    policy = RoundRobin(2)
    assert [policy.pick([7, 8, 9], Load(), ()) for _ in range(5)] == [9, 7, 8, 9, 7]


def test_a_list_that_became_shorter_is_no_trouble() -> None:
    policy = RoundRobin()
    for _ in range(5):
        policy.pick([0, 1, 2, 3, 4, 5], Load(), ())
    assert policy.pick([0, 1], Load(), ()) in (0, 1)
