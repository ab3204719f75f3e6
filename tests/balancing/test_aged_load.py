"""Old counts: at any moment exactly those that were true so long ago."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.aged_load import AgedLoad
from simulator.balancing.load import Load, RankedLoad


@given(
    age=st.integers(0, 50),
    steps=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3), st.booleans()), max_size=60),
)
def test_what_is_seen_is_what_was_true(age: int, steps: list[tuple[int, int, bool]]) -> None:
    now = [0]
    load = AgedLoad(age, lambda: now[0], Load())
    for backend in range(4):
        load.insert(backend)
    history = [(0, [0] * 4)]
    for wait, backend, closes in steps:
        now[0] += wait
        if closes and load.open[backend]:
            load.closed(backend)
        else:
            load.opened(backend)
        history.append((now[0], list(load.open)))
        true_then = [counts for at, counts in history if at <= now[0] - age]
        expected = true_then[-1] if true_then else [0] * 4
        assert load.catch_up(now[0]).open == expected


def test_a_ranking_is_as_old_as_the_counts() -> None:
    now = [0]
    load = AgedLoad(100, lambda: now[0], RankedLoad())
    for backend in (0, 1):
        load.insert(backend)
    load.opened(0)
    now[0] = 99
    seen = load.catch_up(now[0])
    assert isinstance(seen, RankedLoad)
    assert sorted(seen.least()) == [0, 1], "the news is not old enough"
    seen = load.catch_up(100)
    assert isinstance(seen, RankedLoad)
    assert seen.least() == [1]
