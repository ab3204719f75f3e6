"""Tuples in use: open ones, and closed ones for as long as TIME_WAIT holds them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.tuple_use import TupleUse


@given(
    hold=st.integers(0, 40),
    steps=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 2), st.booleans()), max_size=60),
)
def test_what_remains_is_the_budget_less_open_and_held(
    hold: int, steps: list[tuple[int, int, bool]]
) -> None:
    now, budget = [0], 30
    use = TupleUse(budget, hold, lambda: now[0])
    for backend in range(3):
        use.insert(backend)
    open_now, closed_at = [0, 0, 0], [[], [], []]  # type: ignore[var-annotated]
    for wait, backend, closes in steps:
        now[0] += wait
        if closes and open_now[backend]:
            use.closed(backend)
            open_now[backend] -= 1
            closed_at[backend].append(now[0])
        else:
            use.opened(backend)
            open_now[backend] += 1
        assert use.open == open_now
        for one in range(3):
            held = sum(at + hold > now[0] for at in closed_at[one])
            assert use.remaining(one) == max(0, budget - open_now[one] - held)


def test_the_richest_come_first() -> None:
    use = TupleUse(10, 0, lambda: 0)
    for backend in range(3):
        use.insert(backend)
    for backend in (0, 0, 1):
        use.opened(backend)
    assert [group for group in use.richest() if group] == [[2], [1], [0]]
    use.remove(2)
    assert next(group for group in use.richest() if group) == [1]
