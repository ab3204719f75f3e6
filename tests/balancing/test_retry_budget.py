"""The retry budget: never more retries than the reserve and the share of all connections."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.retry_budget import RetryBudget


@given(st.sampled_from([0.1, 0.25, 1.0]), st.integers(1, 20), st.lists(st.booleans(), max_size=200))
def test_retries_are_bounded_by_reserve_and_share(
    share: float, reserve: int, steps: list[bool]
) -> None:
    budget = RetryBudget(share, reserve)
    connections = retries = 0
    for is_retry in steps:
        if not is_retry:
            budget.pay_in()
            connections += 1
        elif budget.take():
            retries += 1
        assert retries <= reserve + share * connections + 1e-9


def test_a_quiet_hour_pays_for_no_more_than_the_reserve() -> None:
    budget = RetryBudget(0.5, 3)
    for _ in range(1000):
        budget.pay_in()
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]
