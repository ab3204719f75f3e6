"""The arena: one stream for all, told by its seed; books that agree with a replay by hand."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from scipy import stats

from simulator.ports.arena import FILLED_AT_MOST, Filling, Game, fill, play, stream
from simulator.ports.range import PortRange
from simulator.ports.selection.catalogue import ALGORITHMS, Algorithm, algorithm
from simulator.ports.selection.selector import NO_PORT

GAME = Game(ports=PortRange(50_000, 50_099), connections=3_000, load=0.6)


def test_the_stream_has_the_load_that_was_asked_for() -> None:
    game = replace(GAME, connections=20_000)
    found = stream(game)
    assert found == stream(game) != stream(replace(game, seed=2))
    gaps = [one.at_s - before.at_s for before, one in itertools.pairwise(found)]
    lives = [one.ends_s - one.at_s for one in found]
    assert game.rate_per_s == pytest.approx(0.6 * 100 / 2)
    assert stats.kstest(gaps, "expon", (0, 1 / game.rate_per_s)).pvalue > 1e-3
    assert stats.kstest(lives, "expon", (0, 1.0)).pvalue > 1e-3
    assert stats.chisquare(list(Counter(one.destination for one in found).values())).pvalue > 1e-3
    assert {one.owner for one in found} == set(range(16))
    assert all(one.wanted in game.ports for one in found)


@pytest.mark.parametrize("one", ALGORITHMS, ids=lambda one: one.name)
def test_no_two_connections_hold_a_tuple_at_once_nor_a_port_where_it_goes_by_port(
    one: Algorithm,
) -> None:
    connections = stream(GAME)
    played = play(one, GAME, connections)
    free_from: dict[tuple[int, int], float] = {}
    for wanted, port in zip(connections, played.ports, strict=True):
        if port == NO_PORT:
            continue
        place = (0 if one.scope == "port" else wanted.destination, port)
        assert free_from.get(place, 0.0) <= wanted.at_s
        free_from[place] = wanted.ends_s + GAME.time_wait_s
    assert len(played.probes) == len(connections)


def test_by_port_four_destinations_share_what_by_tuple_each_has() -> None:
    game = replace(GAME, load=1.6)
    connections = stream(game)
    by_port = play(algorithm("sequential"), game, connections)
    by_tuple = play(algorithm("simple-hash"), game, connections)
    # By port 160 ports' worth of load meet 100: 1 - 1/1.6 = 37.5 % cannot be served; by tuple each
    # destination has 40 % of its own hundred.
    assert by_port.ports.count(NO_PORT) / 3_000 == pytest.approx(0.375, abs=0.05)
    assert by_port.early == 0
    assert by_tuple.ports.count(NO_PORT) == 0


def test_failures_while_a_port_is_free_are_told_apart() -> None:
    game = replace(GAME, load=1.05, destinations=1)
    played = play(algorithm("random-redraw"), game, stream(game))
    failed = played.ports.count(NO_PORT)
    assert 0 < played.early < failed


def test_filling_ends_where_the_algorithm_gives_up() -> None:
    found = fill(algorithm("linux-connect"), GAME)
    assert found.full_at == 1.0
    assert min(found.probes[50:]) == 51
    assert fill(algorithm("nat-random"), replace(GAME, ports=PortRange(1_024, 5_119))).full_at < 1
    assert fill(algorithm("haproxy"), replace(GAME, ports=PortRange(1_024, 65_535))).size == (
        FILLED_AT_MOST
    )


def test_a_curve_has_the_mean_of_each_step_and_ends_with_the_picks() -> None:
    assert Filling(4, [1, 3, 5, 7]).curve(2) == [(0.25, 2.0), (0.75, 6.0)]
    assert Filling(4, [1, 3, 5]).curve(2) == [(0.25, 2.0), (0.625, 5.0)]
    assert Filling(4, []).curve(2) == []
    assert len(Filling(3, [1, 1, 1]).curve(50)) == 3
