"""The arena's measures, each against a count by hand or the law that it should follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.ports.arena import Connection, Filling, Game, Play
from simulator.ports.arena_score import gini, guesses, middle, returns, score, unevenness
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

counts = st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(any)


@given(counts)
def test_unevenness_is_chi_square_over_its_degrees_of_freedom(uses: list[int]) -> None:
    assert unevenness(uses) == pytest.approx(stats.chisquare(uses).statistic / (len(uses) - 1))


@given(counts)
def test_gini_is_half_the_mean_difference_over_the_mean(uses: list[int]) -> None:
    pairs = [abs(one - other) for one in uses for other in uses]
    by_definition = sum(pairs) / len(pairs) / 2 / (sum(uses) / len(uses))
    assert gini(uses) == pytest.approx(by_definition)


def test_nothing_used_is_even() -> None:
    assert (gini([0, 0]), unevenness([0, 0]), unevenness([3])) == (0.0, 0.0, 0.0)


def test_returns_count_picks_toward_the_same_destination() -> None:
    picks = [(0, 7), (1, 7), (0, 8), (1, 9), (0, 7), (0, 7), (1, 7)]
    assert returns(picks) == [2, 1, 2]
    assert returns([]) == []


@pytest.mark.parametrize(("step", "every"), [(1, 4), (-1, 4), (5, 1), (250, 2), (-900, 1)])
def test_who_sees_every_so_manieth_port_of_a_steady_walk_guesses_all(step: int, every: int) -> None:
    picks = [(turn % 3, 50_000 + turn * step % 4_096) for turn in range(2_000)]
    hits, tried = guesses(picks, 4_096, every, 0)
    assert hits == tried > 0


def test_draws_are_guessed_no_better_than_blindly() -> None:
    draw = pure_random(1, "draws").randrange
    picks = [(0, 50_000 + draw(1_000)) for _ in range(40_000)]
    hits, tried = guesses(picks, 1_000, 2, 10)
    # 21 of 1,000 ports lie within 10 of any guess.
    assert stats.binomtest(hits, tried, 0.021).pvalue > 1e-3


def test_guesses_of_others_leave_out_those_toward_the_same() -> None:
    picks = [(turn // 2 % 2, 50_000 + turn) for turn in range(400)]
    _, all_tried = guesses(picks, 1_000, 1, 0)
    hits, tried = guesses(picks, 1_000, 1, 0, others=True)
    assert tried == pytest.approx(all_tried / 2, abs=1)
    assert hits == tried
    assert guesses([(0, 1)] * 50, 10, 1, 0, others=True) == (0, 0)


def connection(at_s: float, destination: int = 0) -> Connection:
    return Connection(at_s, at_s + 1.0, destination, 0, 0)


def test_a_score_by_hand() -> None:
    game = Game(ports=PortRange(10, 13), memory_s=2.0, every=1)
    made = [connection(0.0), connection(0.5), connection(2.9), connection(6.0), connection(6.1, 1)]
    played = Play([10, 0, 10, 10, 10], [1, 4, 2, 1, 1], 0)
    found = score("x", "tuple", game, made, played, Filling(4, [1, 1, 2, 3]))
    assert found.probes_mean == 9 / 5
    assert found.probes_p99 == 4
    assert (found.failed, found.failed_early, found.full_at) == (1, 0, 1.0)
    # Ended at 1.0 and met again at 2.9; ended at 3.9 and met at 6.0, too late; elsewhere new.
    assert found.remembered == 1 / 4
    assert (found.returns_min, found.returns_median) == (1, 1.0)
    assert found.gini == pytest.approx(0.75)
    assert found.guessed_other == 1.0


def test_of_no_picks_there_is_no_share() -> None:
    game = Game(ports=PortRange(10, 13))
    found = score("x", "port", game, [connection(0.0)], Play([0], [4], 0), Filling(4, []))
    assert (found.remembered, found.guessed_own, found.guessed_other) == (None, None, None)
    assert (found.returns_min, found.returns_median, found.full_at) == (None, None, 0.0)


def test_of_several_seeds_each_measure_has_its_own_median() -> None:
    game = Game(ports=PortRange(10, 13))
    made = [connection(0.0), connection(5.0)]
    found = [
        score("x", "port", game, made, Play(ports, probes, 0), Filling(4, [1] * probes[0]))
        for ports, probes in (([10, 10], [1, 1]), ([10, 11], [4, 4]), ([0, 0], [3, 3]))
    ]
    both = middle(found)
    assert (both.name, both.scope) == ("x", "port")
    assert (both.probes_mean, both.probes_p99, both.failed) == (3.0, 3, 0)
    assert both.full_at == 0.75
    assert both.returns_min == 1  # only the first game has one
    assert middle(found[2:]).remembered is None
    assert middle([found[2], found[2]]).guessed_own is None
    assert middle([found[0], found[1]]).failed == 0
