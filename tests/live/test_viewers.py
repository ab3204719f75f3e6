"""Viewers hear everything in order, and who does not read is let go without holding up others."""

from __future__ import annotations

import asyncio

from simulator.live.viewers import MOST_VIEWERS, QUEUE, Viewers


async def heard(viewers: Viewers, news: list[bytes]) -> list[bytes]:
    """What one viewer hears who joins now, is told some news, and then the end."""
    viewer = viewers.join()
    assert viewer is not None
    for piece in news:
        viewers.tell(piece)
    viewers.end()
    return [piece async for piece in viewer]


async def test_one_who_joins_hears_what_was_missed_then_the_news_in_order() -> None:
    assert await heard(Viewers(lambda: b"all"), [b"1", b"2"]) == [b"all", b"1", b"2"]


async def test_one_who_comes_after_the_end_hears_all_and_no_more() -> None:
    viewers = Viewers(lambda: b"all")
    viewers.end()
    viewer = viewers.join()
    assert viewer is not None
    assert [piece async for piece in viewer] == [b"all"]


async def test_one_who_does_not_read_is_let_go_and_the_others_hear_on() -> None:
    viewers = Viewers(lambda: b"all")
    slow, quick = viewers.join(), viewers.join()
    assert slow is not None
    assert quick is not None
    got: list[bytes] = []

    async def read() -> None:
        got.extend([piece async for piece in quick])

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        for number in range(3 * QUEUE):
            viewers.tell(b"%d" % number)
            await asyncio.sleep(0)
        viewers.end()
    assert got == [b"all", *(b"%d" % number for number in range(3 * QUEUE))]
    assert slow.is_dropped
    assert (len(viewers), viewers.dropped) == (1, 1)
    assert [piece async for piece in slow] == []


async def test_there_is_room_for_so_many_and_again_when_one_leaves() -> None:
    viewers = Viewers(lambda: b"")
    all_of_them = [viewers.join() for _ in range(MOST_VIEWERS)]
    assert viewers.join() is None
    assert all_of_them[0] is not None
    viewers.leave(all_of_them[0])
    assert viewers.join() is not None
