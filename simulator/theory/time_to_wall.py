"""When a tuple budget will be used up, if connections go on as they do now.

At time ``t`` from now in use are: those open now, plus what the open ones grow by; those in
TIME_WAIT now whose time has not passed by then; and what is closed from now on, each for ``W``:

    n(t) = open + g t + #{i: remaining_i > t} + c min(t, W)

The wall is the first ``t`` with ``n(t) >= N``. Between two ends of TIME_WAIT ``n`` is a line, so
the answer is exact for constant ``g`` and ``c``; after ``W`` it is Little's law, ``open + c W``,
and never reached unless the open ones themselves grow.

Source: Little, A Proof for the Queuing Formula L = lambda W, Operations Research 9(3), 1961, with
the times that are known put in for their mean.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def time_to_wall_s(
    *,
    budget: int,
    open_now: float,
    growth_per_s: float,
    closing_per_s: float,
    blocked_s: float,
    remaining_s: Array,
) -> float:
    """Seconds until the budget is used up; 0 when it is, infinite when it will not be.

    Args:
        budget: N, tuples.
        open_now: tuples in use now other than in TIME_WAIT.
        growth_per_s: g, change of those; a fall is taken as standing still, since what falls
            today is no promise.
        closing_per_s: c, tuples that go into TIME_WAIT per second, >= 0.
        blocked_s: W, how long each stays there, s, >= 0.
        remaining_s: for each tuple in TIME_WAIT now, how long it still blocks, s, in any order;
            what is longer than W, by a tick of the kernel's clock, counts as W.
    """
    growth = max(0.0, growth_per_s)
    waiting = np.minimum(remaining_s[remaining_s > 0], blocked_s)
    ends = np.append(np.sort(waiting), blocked_s)
    held = open_now + len(waiting)
    if held >= budget:
        return 0.0
    slope = growth + closing_per_s
    if slope > 0:
        gone = np.arange(len(ends))
        starts = np.append(0.0, ends[:-1])
        with np.errstate(over="ignore"):  # at next to no slope it is never: infinite
            reached = np.maximum(starts, (budget - held + gone) / slope)
        early = np.flatnonzero(reached < ends)
        if len(early):
            return float(reached[early[0]])
    if growth <= 0:
        return inf
    return max(blocked_s, (budget - open_now - closing_per_s * blocked_s) / growth)
