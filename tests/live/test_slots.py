"""Slots: never more than the limit at a time, first come first served, each backend by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.live.slots import Slots


def test_who_finds_no_slot_waits_for_the_first_that_is_freed() -> None:
    slots: Slots[str] = Slots(2)
    assert slots.enter(0, "a")
    assert slots.enter(0, "b")
    assert not slots.enter(0, "c")
    assert not slots.enter(0, "d")
    assert slots.enter(1, "e")
    assert slots.waiting == 2
    assert slots.leave(0) == "c"
    assert slots.leave(0) == "d"
    assert slots.leave(0) is None
    assert slots.enter(0, "f")
    assert (slots.waiting, slots.most_waiting) == (0, 2)


def test_a_line_with_few_places_is_full_at_some_time() -> None:
    slots: Slots[int] = Slots(2, 1)
    for number, is_full in enumerate([False, False, False, True]):
        assert slots.is_full(0) is is_full
        if not is_full:
            slots.enter(0, number)
    assert not slots.is_full(1)
    slots.leave(0)
    assert not slots.is_full(0)


@given(st.integers(1, 3), st.integers(0, 3), st.lists(st.booleans(), max_size=60))
def test_no_more_wait_than_there_is_room_for(limit: int, room: int, steps: list[bool]) -> None:
    slots: Slots[int] = Slots(limit, room)
    inside = 0
    for arrives in steps:
        assert slots.is_full(0) == (inside == limit + room)
        if arrives and not slots.is_full(0):
            slots.enter(0, inside)
            inside += 1
        elif not arrives and inside:
            slots.leave(0)
            inside -= 1
        assert slots.waiting == max(0, inside - limit)


def test_a_backend_that_begins_anew_has_all_its_slots() -> None:
    slots: Slots[int] = Slots(1)
    slots.enter(0, 1)
    slots.enter(0, 2)
    slots.forget(0)
    assert slots.waiting == 0
    assert slots.enter(0, 3)


@given(st.integers(1, 4), st.lists(st.booleans(), max_size=80))
def test_the_limit_holds_and_nobody_is_overtaken(limit: int, steps: list[bool]) -> None:
    slots: Slots[int] = Slots(limit)
    served: list[int] = []
    busy = arrived = 0
    for arrives in steps:
        if arrives:
            if slots.enter(0, arrived):
                served.append(arrived)
                busy += 1
            arrived += 1
        elif busy:
            following = slots.leave(0)
            if following is None:
                busy -= 1
            else:
                served.append(following)
        assert busy <= limit
        assert slots.waiting == arrived - len(served)
        assert not slots.waiting or busy == limit
    assert served == sorted(served)
