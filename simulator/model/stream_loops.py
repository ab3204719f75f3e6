"""The loop behind a streamed run, plain enough for a compiler: arrival, hold, release.

It is Python like any other and gives the same results when it is not compiled (`compiled`), only a
hundred times slower. What is known of taken tuples stands in a calendar: a ring of buckets of equal
width, each a linked list of those that come back within it. A bucket that lies behind is emptied
whole; the one that is being passed is only looked into when somebody finds no tuple free, since
else it does not matter.

Source: Brown, Calendar queues: a fast O(1) priority queue implementation (1988).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Links = NDArray[np.int32]
    Flags = NDArray[np.bool_]

#: Places in `cursor`: the next bucket to empty, and the first entry that nobody uses.
BUCKET, UNUSED = 0, 1
NONE = -1


def take(  # noqa: PLR0917 - a compiler takes arrays, not objects
    due: Ints,
    hold: Ints,
    begin: int,
    turn: Ints,
    place: int,
    tuples: int,
    shift: int,
    in_use: Ints,
    head: Links,
    link: Links,
    back: Ints,
    owner: Links,
    cursor: Ints,
    taken: Flags,
) -> int:
    """Decide for rows one after the other.

    Args:
        due: ns, shape (rows,), ascending.
        hold: ns, shape (rows,), or (1,) where all are alike.
        begin: the row to begin with.
        turn: group of each row by its place in this, shape (period,).
        place: that of the row to begin with.
        tuples: of each group.
        shift: a bucket is ``2**shift`` ns wide.
        in_use: tuples of each group, shape (groups,); changed, and too high by those that have
            come back within the bucket that is being passed.
        head: first entry of each bucket, NONE = empty, shape (a power of 2,).
        link: entry after each entry, shape (entries,).
        back: when the tuple of each entry comes back, ns, shape (entries,).
        owner: its group, shape (entries,).
        cursor: see BUCKET and UNUSED.
        taken: set for each row, shape (rows,).

    Returns:
        The first row that was not decided, since there was no entry for it; rows when all were.
    """
    mask = len(head) - 1
    step = 1 if len(hold) > 1 else 0
    bucket, unused = cursor[BUCKET], cursor[UNUSED]
    row = begin
    while row < len(due):
        now = due[row]
        passed = now >> shift
        group = turn[place]
        looked = False
        while True:
            if bucket < passed:
                at, until = bucket & mask, ((bucket + 1) << shift) - 1
                bucket += 1
            elif in_use[group] >= tuples and not looked:
                at, until = passed & mask, now
                looked = True
            else:
                break
            entry, kept = head[at], NONE
            while entry != NONE:
                after = link[entry]
                if back[entry] <= until:
                    in_use[owner[entry]] -= 1
                    link[entry] = unused
                    unused = entry
                else:
                    link[entry] = kept
                    kept = entry
                entry = after
            head[at] = kept
        taken[row] = in_use[group] < tuples
        if taken[row]:
            if unused == NONE:
                break
            entry = unused
            unused = link[entry]
            end = now + hold[row * step]
            at = (end >> shift) & mask
            back[entry] = end
            owner[entry] = group
            link[entry] = head[at]
            head[at] = entry
            in_use[group] += 1
        row += 1
        place += 1
        if place == len(turn):
            place = 0
    cursor[BUCKET], cursor[UNUSED] = bucket, unused
    return row
