"""Maglev: slots that differ by one, and few keys of others that move."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.balancing.load import Load
from simulator.balancing.policies.maglev import Maglev, fill_table, table_size


@pytest.mark.parametrize("count", [1, 3, 7, 10])
def test_slots_of_any_two_backends_differ_by_one_at_most(count: int) -> None:
    counts = Counter(fill_table(range(count), 1009, 3))
    assert sum(counts.values()) == 1009
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_table_depends_on_who_is_in_it_and_not_on_their_order() -> None:
    assert fill_table([5, 1, 9], 1009, 0) == fill_table([9, 5, 1], 1009, 0)
    assert fill_table([5, 1, 9], 1009, 0) != fill_table([5, 1, 9], 1009, 1)
    assert fill_table([], 1009, 0) == []


def test_a_leaver_moves_few_slots_of_others() -> None:
    # The paper's figure 12: with 100 slots each, a few per cent of the others' move beside its own.
    members = list(range(50))
    before = fill_table(members, 5003, 0)
    after = fill_table(members[:-1], 5003, 0)
    moved = sum(then != now for then, now in zip(before, after, strict=True) if then != 49)
    assert moved / 5003 < 0.06
    assert 49 not in after


@pytest.mark.parametrize(("backends", "size"), [(1, 1009), (11, 5003), (655, 65_537)])
def test_tables_are_prime_with_a_hundred_slots_each(backends: int, size: int) -> None:
    assert table_size(backends) == size
    assert all(size % divisor for divisor in range(2, int(size**0.5) + 1))


def test_the_same_key_goes_to_the_same_backend_and_elsewhere_when_it_is_excluded() -> None:
    policy = Maglev(1009)
    first = policy.pick([0, 1, 2], Load(), (), 42)
    assert policy.pick([0, 1, 2], Load(), (), 42) == first
    assert policy.pick([0, 1, 2], Load(), {first}, 42) not in (first, -1)
