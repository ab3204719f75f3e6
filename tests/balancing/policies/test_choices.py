"""Best of d: unbiased draws, and the fullest backend as full as theory says."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from scipy import stats

from simulator.balancing.load import Load
from simulator.balancing.policies.choices import Choices
from simulator.balancing.policies.random_choice import RandomChoice
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from simulator.balancing.policies.policy import Policy


def loaded(counts: list[int]) -> Load:
    load = Load()
    for number, count in enumerate(counts):
        load.insert(number)
        load.open[number] = count
    return load


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_with_equal_loads_every_backend_has_its_share(count: int) -> None:
    policy = Choices(count, pure_random(21, "choices", count))
    load = loaded([4] * 7)
    counts = Counter(policy.pick(range(7), load, ()) for _ in range(21_000))
    assert stats.chisquare([counts[one] for one in range(7)]).pvalue > 0.001


@pytest.mark.parametrize("count", [2, 3])
def test_the_rank_picked_follows_from_drawing_without_replacement(count: int) -> None:
    # Loads 0..5 all differ, so the pick is the lowest number among d drawn of six without
    # replacement: P(lowest = k) = C(5 - k, d - 1) / C(6, d).
    policy = Choices(count, pure_random(22, "choices", count))
    load = loaded([0, 1, 2, 3, 4, 5])
    rounds = 30_000
    counts = Counter(policy.pick(range(6), load, ()) for _ in range(rounds))
    ways = [math.comb(5 - rank, count - 1) for rank in range(6)]
    possible = [rank for rank in range(6) if ways[rank]]
    assert set(counts) == set(possible), "the fullest is never the best of two"
    expected = [rounds * ways[rank] / math.comb(6, count) for rank in possible]
    assert stats.chisquare([counts[rank] for rank in possible], expected).pvalue > 0.001


def test_every_ordered_pair_of_two_draws_is_equally_likely() -> None:
    class Watched(Load):
        """Notes which two backends were compared."""

        def __init__(self) -> None:
            super().__init__()
            self.open = Seen([0] * 5)

    class Seen(list[int]):
        asked: list[int]

        def __getitem__(self, index: object) -> int:  # type: ignore[override]
            self.asked = [*getattr(self, "asked", []), index]  # type: ignore[list-item]
            return 0

    load = Watched()
    policy = Choices(2, pure_random(23, "pairs"))
    pairs: Counter[tuple[int, ...]] = Counter()
    for _ in range(20_000):
        assert isinstance(load.open, Seen)
        load.open.asked = []
        policy.pick(range(5), load, ())
        pairs[tuple(load.open.asked)] += 1
    assert set(pairs) == set(itertools.permutations(range(5), 2))
    assert stats.chisquare(list(pairs.values())).pvalue > 0.001


def fullest(policy: Policy, backends: int) -> int:
    """The highest load after as many connections as backends."""
    load = loaded([0] * backends)
    for _ in range(backends):
        load.opened(policy.pick(range(backends), load, ()))
    return max(load.open)


def test_two_choices_keep_the_fullest_far_below_random() -> None:
    # n connections over n backends: random about ln n / ln ln n (4.6 for n = 16,384, plus a
    # little), two choices ln ln n / ln 2 + O(1) = 3.3 + O(1). Azar et al. 1999, theorem 1.
    backends = 16_384
    for seed in range(3):
        two = fullest(Choices(2, pure_random(seed, "two")), backends)
        one = fullest(RandomChoice(pure_random(seed, "one")), backends)
        assert two <= math.log(math.log(backends)) / math.log(2) + 2
        assert one >= math.log(backends) / math.log(math.log(backends))
        assert one >= two + 2


def test_no_choice_at_all_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Choices(0, pure_random(1))
