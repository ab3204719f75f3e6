"""Load: the ranking agrees with a plain search through all counts, whatever happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.load import Load, RankedLoad

ACTIONS = st.lists(
    st.tuples(st.sampled_from(["insert", "remove", "opened", "closed"]), st.integers(0, 5)),
    max_size=120,
)


@given(ACTIONS)
def test_the_ranking_is_what_a_search_would_find(actions: list[tuple[str, int]]) -> None:
    plain, ranked = Load(), RankedLoad()
    eligible: set[int] = set()
    for load in (plain, ranked):
        for number in range(6):
            load.insert(number)
    eligible.update(range(6))
    for action, number in actions:
        if action == "closed" and not plain.open[number]:
            continue
        for load in (plain, ranked):
            getattr(load, action)(number)
        if action == "insert":
            eligible.add(number)
        elif action == "remove":
            eligible.discard(number)
        assert ranked.open == plain.open
        fewest = min((plain.open[one] for one in eligible), default=0)
        assert sorted(ranked.least()) == sorted(
            one for one in eligible if plain.open[one] == fewest
        )
        from_least = [plain.open[one] for group in ranked.from_least() for one in group]
        assert from_least == sorted(plain.open[one] for one in eligible)


def test_a_backend_comes_back_with_the_connections_it_still_has() -> None:
    load = RankedLoad()
    for number in (0, 1):
        load.insert(number)
    for _ in range(3):
        load.opened(0)
    load.opened(1)
    load.remove(0)
    load.closed(0)
    assert load.least() == [1]
    load.insert(0)
    load.opened(1)
    assert sorted(load.least()) == [0, 1], "both have two"
