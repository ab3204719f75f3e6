"""The waiting room: order, limit, patience."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.waiting import WaitingRoom


def test_the_first_to_come_is_the_first_to_go_also_when_put_back() -> None:
    room = WaitingRoom(3, 100)
    assert [room.enter(one, one) for one in (5, 6, 7, 8)] == [True, True, True, False]
    assert room.take_first() == (5, 105)
    room.put_back(5, 105)
    assert room.take_first() == (5, 105)
    room.leave(6)
    room.leave(6)
    assert room.take_first() == (7, 107)
    assert not room


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(1, 40))
def test_exactly_those_whose_time_is_over_lose_patience(waits: list[int], patience: int) -> None:
    room, now = WaitingRoom(100, patience), 0
    came: dict[int, int] = {}
    for member, wait in enumerate(waits):
        now += wait
        over = room.out_of_patience(now)
        assert over == [one for one, at in came.items() if at + patience <= now]
        for one in over:
            del came[one]
        room.enter(member, now)
        came[member] = now
        assert set(came) == {one for one in range(member + 1) if one in room}
