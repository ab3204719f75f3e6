"""The idle limit names each connection once, after its limit and never before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.live.idling import IdleLimit


def test_only_who_rested_for_the_whole_limit_is_over() -> None:
    idle = IdleLimit(100)
    assert idle.next_ns is None
    idle.rests(3, 1000)
    idle.rests(4, 1050)
    assert idle.next_ns == 1100
    assert idle.over(1099) == []
    assert idle.over(1100) == [3]
    assert idle.over(1200) == [4]
    assert idle.over(9999) == []
    assert idle.next_ns is None


def test_work_in_between_begins_the_wait_anew() -> None:
    idle = IdleLimit(100)
    idle.rests(3, 0)
    idle.works(3)
    assert idle.over(100) == []
    idle.rests(3, 150)
    idle.works(3)
    idle.rests(3, 160)
    assert idle.over(259) == []
    assert idle.over(260) == [3]


@given(
    st.lists(st.tuples(st.sampled_from(["rests", "works", "look"]), st.integers(0, 4)), max_size=60)
)
def test_it_agrees_with_a_table_of_beginnings(steps: list[tuple[str, int]]) -> None:
    idle, table, limit = IdleLimit(7), dict[int, int](), 7
    for now, (step, descriptor) in enumerate(steps):
        if step == "rests":
            idle.rests(descriptor, now)
            table[descriptor] = now
        elif step == "works":
            idle.works(descriptor)
            table.pop(descriptor, None)
        else:
            over = {one for one, since in table.items() if since + limit <= now}
            assert set(idle.over(now)) == over
            for one in over:
                del table[one]
