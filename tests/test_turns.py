"""A series of runs: every question once in a round, in an order that no variant profits from."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.experiment import Turn, questions, turns
from simulator.traffic.plan import make_plan
from tests.support.scenarios import SMALL, loaded

THREE = SMALL + (
    "variants:\n  a: {backends.count: 1}\n  b: {backends.count: 2}\n  c: {backends.count: 3}\n"
)


def series(repeat: int, *, vary_seed: bool = False, seed: int | None = None) -> list[Turn]:
    return list(turns(questions(loaded(THREE, seed=seed)), repeat, vary_seed=vary_seed))


def order(made: list[Turn]) -> list[tuple[int, str]]:
    return [(turn.block, turn.question.variant) for turn in made]


def test_a_single_round_is_the_file_as_it_stands() -> None:
    assert order(series(1)) == [(0, "a"), (0, "b"), (0, "c")]


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 12), st.integers(0, 1 << 40))
def test_each_round_asks_everything_once_and_follows_the_one_before(repeat: int, seed: int) -> None:
    made = order(series(repeat, seed=seed))
    assert [block for block, _ in groupby(made, key=lambda pair: pair[0])] == list(range(repeat))
    for block in range(repeat):
        assert sorted(name for one, name in made if one == block) == ["a", "b", "c"]
    assert made == order(series(repeat, seed=seed))


def test_no_variant_is_always_first() -> None:
    made = order(series(300))
    firsts = Counter(made[place][1] for place in range(0, len(made), 3))
    # Binomial(300, 1/3): mean 100, standard deviation 8.2; five of them on either side.
    assert all(59 <= firsts[name] <= 141 for name in "abc")


def test_all_rounds_ask_for_the_same_plan_unless_it_is_to_vary() -> None:
    assert len({turn.question.scenario.seed for turn in series(4)}) == 1
    varied = series(4, vary_seed=True)
    by_block = [{t.question.scenario.seed for t in varied if t.block == b} for b in range(4)]
    assert all(len(seeds) == 1 for seeds in by_block)  # a pair is a pair of the same plan
    assert len(set.union(*by_block)) == 4
    assert by_block[0] == {series(1)[0].question.scenario.seed}
    for turn in varied:
        assert 0 <= turn.question.scenario.seed < 1 << 63  # what --seed takes, to run it again
        assert len(make_plan(turn.question.scenario).columns["due_ns"]) == 10
