"""The loop behind a streamed run, plain enough for a compiler: arrival, hold, release.

It is Python like any other and gives the same results when it is not compiled (`compiled`), only a
hundred times slower. When tuples come back is kept in a calendar of two levels. Days are as wide
as the shortest wait or narrower, so that nothing that is taken today comes back today; each is a
chain of blocks that are filled from end to end. When a day begins, what comes back in it is put in
order by hours. Hours that lie behind are given back whole; the present one is only looked through
when somebody finds no tuple free, since else it does not matter. Memory is gone through in order at
every step, which is what a million taken tuples need.

Source: Brown, Calendar queues: a fast O(1) priority queue implementation (1988); Varghese and
Lauck, Hashed and hierarchical timing wheels (1987).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Short = NDArray[np.int32]
    Flags = NDArray[np.bool_]

#: Places in `cursor`: the present day; its first entry that was not given back; the first block
#: that nobody uses; and what there was no room for.
DAY, ENTRY, UNUSED, WANTS = 0, 1, 2, 3
CURSORS = 4
#: What there may be no room for.
NOTHING, BLOCKS, TODAY = 0, 1, 2
#: Entries of a block.
BLOCK = 64
NONE = -1


def take(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - for a compiler
    due: Ints,
    hold: Ints,
    begin: int,
    turn: Ints,
    place: int,
    tuples: int,
    day_bits: int,
    hour_bits: int,
    in_use: Ints,
    tail: Short,
    before: Short,
    filled: Short,
    back: Ints,
    owner: Short,
    hours: Short,
    today: Ints,
    whose: Short,
    cursor: Ints,
    taken: Flags,
) -> int:
    """Decide for rows one after the other.

    Args:
        due: ns, shape (rows,), ascending.
        hold: ns, shape (rows,), or (1,) where all are alike; at least ``2**day_bits``.
        begin: the row to begin with.
        turn: group of each row by its place in this, shape (period,).
        place: that of the row to begin with.
        tuples: of each group.
        day_bits: a day is ``2**day_bits`` ns long.
        hour_bits: an hour is ``2**hour_bits`` ns long.
        in_use: tuples of each group, shape (groups,); too high by what came back in this hour.
        tail: last block of each day, NONE = no block, shape (a power of 2,); a day that is as
            many days later has the same place.
        before: block before each block, shape (blocks,).
        filled: entries in each block, shape (blocks,).
        back: when the tuple of each entry comes back, ns, shape (blocks * BLOCK,).
        owner: its group, shape (blocks * BLOCK,).
        hours: where each hour of the present day begins, shape (hours of a day + 1,); there is a
            power of 2 of them.
        today: what comes back today, by hours, ns.
        whose: the groups of these.
        cursor: DAY, ENTRY, UNUSED, WANTS, shape (CURSORS,).
        taken: set for each row, shape (rows,).

    Returns:
        The first row that was not decided, as there was no room; rows when all were.
    """
    mask, last = len(tail) - 1, len(hours) - 1
    step = 1 if len(hold) > 1 else 0
    day, entry, unused, wants = cursor[DAY], cursor[ENTRY], cursor[UNUSED], NOTHING
    row = begin
    while row < len(due):
        now = due[row]
        while day < now >> day_bits:
            for one in range(entry, hours[last]):
                in_use[whose[one]] -= 1
            entry = 0
            at = (day + 1) & mask
            # How many come back in each hour of the next day; who comes a round later stays.
            hours[:] = 0
            block = tail[at]
            while block != NONE:
                for one in range(block * BLOCK, block * BLOCK + filled[block]):
                    if back[one] >> day_bits == day + 1:
                        hours[(back[one] >> hour_bits) & (last - 1)] += 1
                block = before[block]
            for one in range(1, last + 1):
                hours[one] += hours[one - 1]
            if hours[last] > len(today):
                hours[:] = 0
                wants = TODAY
                break
            day += 1
            block, tail[at] = tail[at], NONE
            while block != NONE:
                kept = block * BLOCK
                for one in range(kept, kept + filled[block]):
                    if back[one] >> day_bits == day:
                        # From the end of each hour down, so that what is left is where it begins.
                        hour = (back[one] >> hour_bits) & (last - 1)
                        hours[hour] -= 1
                        today[hours[hour]], whose[hours[hour]] = back[one], owner[one]
                    else:
                        back[kept], owner[kept] = back[one], owner[one]
                        kept += 1
                filled[block] = kept - block * BLOCK
                earlier = before[block]
                if filled[block]:
                    before[block], tail[at] = tail[at], block
                else:
                    before[block], unused = unused, block
                block = earlier
        if wants != NOTHING:
            break
        hour = (now >> hour_bits) & (last - 1)
        while entry < hours[hour]:
            in_use[whose[entry]] -= 1
            entry += 1
        group = turn[place]
        if in_use[group] >= tuples:
            for one in range(entry, hours[hour + 1]):
                if today[one] <= now:
                    in_use[whose[one]] -= 1
                    today[one], whose[one] = today[entry], whose[entry]
                    entry += 1
        taken[row] = in_use[group] < tuples
        if taken[row]:
            end = now + hold[row * step]
            at = (end >> day_bits) & mask
            block = tail[at]
            if block == NONE or filled[block] == BLOCK:
                if unused == NONE:
                    wants = BLOCKS
                    break
                block, unused = unused, before[unused]
                before[block], filled[block], tail[at] = tail[at], 0, block
            one = block * BLOCK + filled[block]
            back[one], owner[one] = end, group
            filled[block] += 1
            in_use[group] += 1
        row += 1
        place += 1
        if place == len(turn):
            place = 0
    cursor[DAY], cursor[ENTRY], cursor[UNUSED], cursor[WANTS] = day, entry, unused, wants
    return row


def take_in_turn(  # noqa: PLR0913, PLR0917 - for a compiler
    due: Ints,
    hold_ns: int,
    begin: int,
    turn: Ints,
    place: int,
    tuples: int,
    in_use: Ints,
    back: Ints,
    owner: Short,
    cursor: Ints,
    taken: Flags,
) -> int:
    """`take` where all are held for the same time, so that they come back as they went.

    Args:
        due: ns, shape (rows,), ascending.
        hold_ns: how long each is held, above 0.
        begin: the row to begin with.
        turn: group of each row by its place in this, shape (period,).
        place: that of the row to begin with.
        tuples: of each group.
        in_use: tuples of each group, shape (groups,), exact.
        back: when each comes back, a ring of a power of 2.
        owner: its group.
        cursor: how many came back and how many were taken, ever, shape (2,).
        taken: set for each row, shape (rows,).

    Returns:
        The first row that was not decided, as the ring is full; rows when all were.
    """
    mask = len(back) - 1
    first, last = cursor[0], cursor[1]
    row = begin
    while row < len(due):
        now = due[row]
        while first < last and back[first & mask] <= now:
            in_use[owner[first & mask]] -= 1
            first += 1
        group = turn[place]
        taken[row] = in_use[group] < tuples
        if taken[row]:
            if last - first > mask:
                break
            back[last & mask], owner[last & mask] = now + hold_ns, group
            in_use[group] += 1
            last += 1
        row += 1
        place += 1
        if place == len(turn):
            place = 0
    cursor[0], cursor[1] = first, last
    return row


def most_open(begins: Ints, ends: Ints, before: int) -> int:
    """The most connections open at once.

    Args:
        begins: ns, shape (n,), ascending.
        ends: ns, ascending, shape (n + before,): who ends as another begins is not beside it.
        before: how many are open already.
    """
    gone, most = 0, 0
    for at in range(len(begins)):
        while gone < len(ends) and ends[gone] <= begins[at]:
            gone += 1
        most = max(most, before + at + 1 - gone)
    return most
