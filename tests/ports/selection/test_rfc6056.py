"""RFC 6056 algorithms 1 to 5: order, evenness and cost against what the RFC and theory say."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from scipy import stats

from simulator.ports.range import PortRange
from simulator.ports.selection.rfc6056 import (
    COUNTERS,
    DoubleHash,
    KeyedHash,
    RandomIncrements,
    RandomRedraw,
    SimpleHash,
    SimpleRandom,
)
from simulator.ports.selection.selector import Asked, Selector

PORTS = PortRange(40_000, 40_099)
SERVER = Asked("server")
NOBODY: frozenset[int] = frozenset()


def picks(made: Selector, count: int, asked: Asked = SERVER) -> list[int]:
    return [made.pick(asked, NOBODY).port for _ in range(count)]


def steps(found: list[int], size: int = len(PORTS)) -> list[int]:
    return [(after - before) % size for before, after in pairwise(found)]


@pytest.mark.parametrize("kind", [SimpleRandom, RandomRedraw])
def test_algorithms_1_and_2_are_uniform_over_an_empty_range(
    kind: type[SimpleRandom | RandomRedraw],
) -> None:
    counts = Counter(picks(kind(PORTS, 3), 10_000))
    assert stats.chisquare([counts[port] for port in range(40_000, 40_100)]).pvalue > 1e-3


def test_algorithm_1_gives_the_weight_of_a_busy_run_to_the_port_after_it() -> None:
    # Section 5: 30 ports taken in a row, and the next one is 31 times as likely as the others.
    busy = frozenset(range(40_010, 40_040))
    made = SimpleRandom(PORTS, 3)
    found = Counter(made.pick(SERVER, busy).port for _ in range(20_000))
    assert found[40_040] / 20_000 == pytest.approx(0.31, abs=0.015)
    fair = RandomRedraw(PORTS, 3)
    found = Counter(fair.pick(SERVER, busy).port for _ in range(20_000))
    free = [port for port in range(40_000, 40_100) if port not in busy]
    assert stats.chisquare([found[port] for port in free]).pvalue > 1e-3


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_algorithm_2_draws_one_over_the_free_share(share: float) -> None:
    # Geometric: mean 1/(1-u), variance u/(1-u)^2.
    made = RandomRedraw(PORTS, 3)
    busy = frozenset(range(40_000, 40_000 + int(share * 100)))
    probes = [made.pick(SERVER, busy).probes for _ in range(5_000)]
    error = (share / (1 - share) ** 2 / 5_000) ** 0.5
    assert sum(probes) / 5_000 == pytest.approx(1 / (1 - share), abs=4 * error)


def test_algorithm_3_goes_on_for_everybody_from_another_place_for_each() -> None:
    made = SimpleHash(PORTS, 3)
    one, other = Asked("one"), Asked("other")
    # One counter: between two ports to one server lie as many steps as picks of anybody.
    first = made.pick(one, NOBODY).port
    among = [made.pick(other, NOBODY).port for _ in range(4)]
    assert steps(among) == [1, 1, 1]
    assert (made.pick(one, NOBODY).port - first) % 100 == 5
    # A tuple comes back after N picks, whoever asks.
    assert sorted(picks(made, 100)) == list(range(40_000, 40_100))


def test_algorithm_3_counts_every_try() -> None:
    made = SimpleHash(PORTS, 3)
    (first,) = picks(made, 1)
    following = 40_000 + (first - 40_000 + 1) % 100
    assert made.pick(SERVER, {following}).probes == 2
    assert (picks(made, 1)[0] - first) % 100 == 3


def test_algorithm_4_keeps_groups_of_destinations_apart() -> None:
    made = DoubleHash(PORTS, 3)
    names = [f"server {number}" for number in range(40)]
    moved = set()
    for name in names:
        before = picks(made, 1, Asked(name))[0]
        picks(made, 1, Asked("watched"))
        if (picks(made, 1, Asked(name))[0] - before) % 100 != 1:
            moved.add(name)
    # Only those of the watched one's own group saw its pick: a tenth of 40 in the mean.
    assert 1 <= len(moved) <= 12
    assert COUNTERS == 10


def test_algorithm_5_steps_evenly_up_to_its_limit_and_comes_back_late() -> None:
    ports = PortRange(10_000, 19_999)
    made = RandomIncrements(ports, 3, largest=50)
    found = picks(made, 5_000)
    taken = Counter(steps(found, 10_000))
    assert stats.chisquare([taken[step] for step in range(1, 51)]).pvalue > 1e-3
    # Round after 2N/(M+1) = 392 picks in the mean: before 340 nobody is back at the same place.
    last: dict[int, int] = {}
    for turn, port in enumerate(found):
        assert turn - last.get(port, -1_000) > 340
        last[port] = turn


def test_a_keyed_hash_is_told_by_seed_name_and_destination() -> None:
    values = {
        KeyedHash(seed, name)(destination)
        for seed in (1, 2)
        for name in ("F", "G")
        for destination in ("a", "b")
    }
    assert len(values) == 8
    assert all(0 <= value < 1 << 64 for value in values)
    once = KeyedHash(1, "F")
    assert once("a") == once("a") == KeyedHash(1, "F")("a")
