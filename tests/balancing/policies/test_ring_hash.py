"""Ring hash: shares as wide as the points allow, and only a leaver's own keys move."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.balancing.load import Load
from simulator.balancing.policies.ring_hash import POINTS, RingHash
from simulator.balancing.weights import Weights

KEYS = range(6_000)


def owners(policy: RingHash, members: list[int]) -> list[int]:
    return [policy.pick(members, Load(), (), key) for key in KEYS]


def test_shares_scatter_as_points_on_a_circle_do() -> None:
    counts = Counter(owners(RingHash(Weights()), list(range(20))))
    mean = len(KEYS) / 20
    # Each share is a sum of 100 spacings: relative deviation 1/sqrt(100), and that of the keys.
    deviation = (sum((counts[one] / mean - 1) ** 2 for one in range(20)) / 20) ** 0.5
    assert deviation < 2 * (1 / POINTS + 1 / mean) ** 0.5


def test_weights_scale_the_shares() -> None:
    counts = Counter(owners(RingHash(Weights((3, 1))), list(range(10))))
    heavy = sum(counts[one] for one in range(0, 10, 2)) / len(KEYS)
    assert abs(heavy - 0.75) < 0.06


@pytest.mark.parametrize("gone", [0, 4, 9])
def test_only_the_keys_of_the_one_that_left_move_and_they_go_to_many(gone: int) -> None:
    policy, members = RingHash(Weights(), salt=7), list(range(10))
    before = owners(policy, members)
    after = owners(policy, [one for one in members if one != gone])
    moved = [now for then, now in zip(before, after, strict=True) if then != now]
    assert len(moved) == before.count(gone)
    assert len(set(moved)) == 9, "spread over all others"
    assert owners(policy, members) == before, "and back when it comes back"


def test_a_newcomer_takes_its_share_from_all_and_nothing_else_moves() -> None:
    policy = RingHash(Weights(), salt=8)
    before, after = owners(policy, list(range(10))), owners(policy, list(range(11)))
    moved = [now for then, now in zip(before, after, strict=True) if then != now]
    assert set(moved) == {10}
    assert abs(len(moved) / len(KEYS) - 1 / 11) < 0.04


def test_an_excluded_owner_is_followed_by_another() -> None:
    policy = RingHash(Weights())
    first = policy.pick([0, 1], Load(), (), 5)
    assert policy.pick([0, 1], Load(), {first}, 5) == 1 - first
