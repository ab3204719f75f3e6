"""Calls come in the order of their moments, those of one moment in the order of their coming."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.model.agenda import NEVER, Agenda


@given(st.lists(st.integers(0, 20), max_size=40))
def test_the_order_is_that_of_a_stable_sort(moments: list[int]) -> None:
    agenda = Agenda()
    done: list[tuple[int, int]] = []

    def call(number: int, _: object) -> None:
        done.append((agenda.now_ns, number))

    for number, moment in enumerate(moments):
        agenda.at(moment, call, number, None)
    while agenda.next_ns < NEVER:
        agenda.step()
    assert done == sorted((moment, number) for number, moment in enumerate(moments))


def test_a_call_may_put_in_another_of_the_same_moment() -> None:
    agenda = Agenda()
    done: list[str] = []
    agenda.at(5, lambda word, _: agenda.at(5, lambda w, _: done.append(w), word, None), "x", None)
    agenda.step()
    assert agenda.next_ns == 5
    agenda.step()
    assert done == ["x"]
