"""Source hash: even, stable, and all but 1/n of the keys move when a backend leaves."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from simulator.balancing.load import Load
from simulator.balancing.policies.source_hash import SourceHash

KEYS = range(8_000)


def owners(members: list[int], salt: int = 0) -> list[int]:
    policy = SourceHash(salt)
    return [policy.pick(members, Load(), (), key) for key in KEYS]


def test_shares_are_equal_and_the_order_of_members_does_not_matter() -> None:
    found = owners([0, 1, 2, 3, 4])
    counts = Counter(found)
    assert stats.chisquare([counts[one] for one in range(5)]).pvalue > 0.001
    assert owners([3, 1, 4, 0, 2]) == found
    assert owners([0, 1, 2, 3, 4], salt=1) != found


@pytest.mark.parametrize("count", [5, 9])
def test_nearly_all_keys_move_when_a_backend_leaves(count: int) -> None:
    before, after = owners(list(range(count))), owners(list(range(count - 1)))
    kept = sum(map(int.__eq__, before, after)) / len(KEYS)
    assert abs(kept - 1 / count) < 0.02


def test_an_excluded_one_is_followed_by_the_next() -> None:
    policy = SourceHash()
    first = policy.pick([0, 1, 2], Load(), (), 99)
    assert policy.pick([0, 1, 2], Load(), {first}, 99) == (first + 1) % 3
