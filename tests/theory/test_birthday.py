"""Collisions against every possible outcome of small draws."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import ceil

import pytest

from simulator.theory.birthday import (
    any_collision,
    expected_pairs,
    expected_repeats,
    meets_held,
    picks_for_half,
)


@pytest.mark.parametrize(("picks", "ports"), [(0, 3), (1, 3), (2, 5), (3, 4), (5, 3)])
def test_each_is_the_mean_over_all_draws(picks: int, ports: int) -> None:
    draws = list(product(range(ports), repeat=picks))
    counted = [Counter(draw) for draw in draws]
    pairs = [sum(n * (n - 1) // 2 for n in counts.values()) for counts in counted]
    assert expected_pairs(picks, ports) == pytest.approx(sum(pairs) / len(draws))
    repeats = [picks - len(counts) for counts in counted]
    assert expected_repeats(picks, ports) == pytest.approx(sum(repeats) / len(draws))
    some = sum(len(counts) < picks for counts in counted)
    assert any_collision(picks, ports) == pytest.approx(some / len(draws))
    for held in range(ports + 1):
        met = sum(any(port < held for port in draw) for draw in draws)
        assert meets_held(picks, ports, held) == pytest.approx(met / len(draws))


def test_a_class_of_23_is_the_famous_one() -> None:
    assert any_collision(22, 365) < 0.5 < any_collision(23, 365)
    assert any_collision(23, 365) == pytest.approx(0.507297, abs=1e-6)


@pytest.mark.parametrize("ports", [10, 365, 16_384, 28_232])
def test_half_is_reached_where_it_says(ports: int) -> None:
    about = picks_for_half(ports)
    assert any_collision(ceil(about) + 1, ports) > 0.5 > any_collision(int(about) - 1, ports)


def test_many_picks_go_by_logarithms_and_agree() -> None:
    # 10,001 picks take the other branch: 1 - exp(-k^2 / 2n) with n so large is good to 1e-4.
    assert any_collision(10_001, 10**8) == pytest.approx(0.3935, abs=2e-4)
    assert any_collision(70_000, 65_536) == 1.0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        expected_pairs(-1, 3)
    with pytest.raises(ValueError, match="at least one port"):
        any_collision(1, 0)
    with pytest.raises(ValueError, match="from none to all"):
        meets_held(1, 3, 4)
