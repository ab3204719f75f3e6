"""Probes against every arrangement of a small table."""

from __future__ import annotations

from itertools import combinations, permutations, product
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.theory.probes import (
    NETFILTER_TRIES,
    linear_probing,
    random_with_replacement,
    random_without_replacement,
    tries_fail,
)


@pytest.mark.parametrize("taken", range(5))
def test_a_random_order_is_the_mean_over_all_orders(taken: int) -> None:
    ports = 5
    lengths = [
        next(number for number, port in enumerate(order, 1) if port >= taken)
        for order in permutations(range(ports))
    ]
    assert random_without_replacement(ports, taken) == pytest.approx(sum(lengths) / len(lengths))
    # A scan from anywhere costs the same if the taken ports lie anywhere.
    scans = [
        next(step for step in range(1, ports + 1) if (start + step - 1) % ports not in where)
        for where in combinations(range(ports), taken)
        for start in range(ports)
    ]
    assert random_without_replacement(ports, taken) == pytest.approx(sum(scans) / len(scans))


@pytest.mark.parametrize(("ports", "taken"), [(4, 0), (4, 2), (5, 3), (5, 4), (6, 5)])
def test_linear_probing_is_the_mean_over_all_ways_to_fill(ports: int, taken: int) -> None:
    total = count = 0
    for starts in product(range(ports), repeat=taken + 1):
        used: set[int] = set()
        probes = 0
        for start in starts:
            probes = next(n for n in range(1, ports + 1) if (start + n - 1) % ports not in used)
            used.add((start + probes - 1) % ports)
        total += probes
        count += 1
    assert linear_probing(ports, taken) == pytest.approx(total / count)


def test_draws_with_replacement_are_geometric() -> None:
    assert random_with_replacement(100, 50) == 2
    assert random_with_replacement(100, 95) == 20
    assert random_with_replacement(7, 7) == inf


def test_far_from_full_it_is_knuths_short_form() -> None:
    for share in (0.25, 0.5, 0.75):
        short = (1 + 1 / (1 - share) ** 2) / 2
        assert linear_probing(1_000_000, round(1_000_000 * share)) == pytest.approx(short, rel=1e-3)


@given(st.integers(2, 400), st.data())
def test_clusters_cost_more_than_chance_and_a_fuller_range_more_than_an_emptier(
    ports: int, data: st.DataObject
) -> None:
    taken = data.draw(st.integers(0, ports - 2))
    assert linear_probing(ports, taken) >= random_without_replacement(ports, taken) - 1e-9
    assert linear_probing(ports, taken + 1) > linear_probing(ports, taken)
    assert linear_probing(ports, ports - 1) <= ports + 1e-9


def test_netfilter_gives_up_after_248_tries() -> None:
    assert NETFILTER_TRIES == 248
    assert tries_fail(0.99) == pytest.approx(0.0827, abs=1e-4)
    assert tries_fail(0.999) == pytest.approx(0.780, abs=1e-3)
    assert tries_fail(0.5, 3) == 1 / 8


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="from none to all"):
        linear_probing(3, 4)
    with pytest.raises(ValueError, match="from 0 to 1"):
        tries_fail(1.5)
