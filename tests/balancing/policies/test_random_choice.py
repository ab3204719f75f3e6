"""Random choice: every backend alike, by a chi-square test at fixed seeds."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from simulator.balancing.load import Load
from simulator.balancing.policies.random_choice import RandomChoice
from simulator.seeds import pure_random


@pytest.mark.parametrize("exclude", [(), (3,), (0, 1, 2, 3, 4, 5, 6)])
def test_shares_are_uniform_over_those_not_left_out(exclude: tuple[int, ...]) -> None:
    policy = RandomChoice(pure_random(11, "random"))
    eligible = list(range(10))
    counts = Counter(policy.pick(eligible, Load(), exclude) for _ in range(20_000))
    wanted = [one for one in eligible if one not in exclude]
    assert set(counts) == set(wanted)
    assert stats.chisquare([counts[one] for one in wanted]).pvalue > 0.001


def test_the_same_seed_makes_the_same_picks() -> None:
    one, other = (RandomChoice(pure_random(3, "random")) for _ in range(2))
    eligible = list(range(100))
    assert [one.pick(eligible, Load(), ()) for _ in range(50)] == [
        other.pick(eligible, Load(), ()) for _ in range(50)
    ]
