"""Tuples as a fluid: how full each hop is over time, what it refuses, and when, without chance.

Connections are a flow. What arrives is taken in while every hop on its way has room, and refused
by the first that has none. What was taken in is open for a time H, of any distribution, and then
blocks its tuple on each hop for that hop's W. So what comes back is the flow taken in H + W ago: a
delay equation, solved here step by step.

It is the limit of the real system when tuples and rates grow together, so it is good to about
``1 / sqrt(N)`` near a wall and far better on either side of it. What chance alone loses below the
wall it does not see; `erlang` does. Time is cut into steps; a time that is no whole number of steps
is shared by its two neighbours, which keeps every mean exact.

Source: Whitt, Fluid models for multiserver queues with abandonments, Operations Research 54(1),
2006, here without a queue; Eick, Massey and Whitt, The physics of the Mt/G/infinity queue,
Operations Research 41(4), 1993, where nothing is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf, isinf
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stay:
    """How long connections are open.

    Attributes:
        steps: in steps, shape (k,), ascending.
        shares: of the connections, shape (k,), sum 1.
        until: instead of that, the step at which all of them close; None = as above.
    """

    steps: Ints
    shares: Floats
    until: int | None = None

    def at_once(self, step: int) -> float:
        """Share of those that come in a step and close within the same one."""
        if self.until is not None:
            return float(self.until <= step)
        return float(self.shares[0]) if self.steps[0] == 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One hop.

    Attributes:
        capacity: tuples, >= 0.
        blocked_steps: how long a tuple is blocked after the close, in steps; inf = for ever.
    """

    capacity: float
    blocked_steps: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """What became of the flow, at each step.

    Attributes:
        offered: connections that arrive, shape (steps,).
        taken: of those, taken in, shape (steps,).
        refused: by each hop, shape (hops, steps).
        is_open: connections that are open at the end of each step, shape (steps,).
        in_use: tuples of each hop, open and blocked, at the end of each step, shape (hops, steps).
    """

    offered: Floats
    taken: Floats
    refused: Floats
    is_open: Floats
    in_use: Floats


def stay_of(times: Floats, step: float) -> Stay:
    """A stay from a sample of times, shape (n,), n >= 1, in the unit of ``step``."""
    places = times / step
    low = np.floor(places).astype(np.int64)
    above = places - low
    shares = np.bincount(low, weights=1 - above, minlength=int(low.max()) + 2)
    shares += np.bincount(low + 1, weights=above, minlength=len(shares))
    used = np.flatnonzero(shares > 0)
    return Stay(steps=used, shares=shares[used] / len(times))


def fluid(offered: Floats, stays: Sequence[Stay], kinds: Ints, stages: Sequence[Stage]) -> Course:
    """Solve it.

    Args:
        offered: connections that arrive in each step, shape (steps,), >= 0.
        stays: the kinds of connections that there are.
        kinds: which of them arrive in each step, shape (steps,).
        stages: the hops in the order a connection takes them.
    """
    steps = len(offered)
    closes = np.zeros(steps + 1)  # the last one stands for all that is later
    taken, is_open = np.zeros(steps), np.zeros(steps)
    refused, in_use = np.zeros((len(stages), steps)), np.zeros((len(stages), steps))
    used, opened = [0.0] * len(stages), 0.0
    delays = [_delay(stage.blocked_steps) for stage in stages]
    for step in range(steps):
        stay = stays[kinds[step]]
        opened -= closes[step]
        at_once = stay.at_once(step)
        flow = float(offered[step])
        keeps = []
        for index, (stage, delay) in enumerate(zip(stages, delays, strict=True)):
            used[index] -= _back(closes, step, delay)
            # What closes and comes back within this very step takes no room in it.
            kept = 1.0 - at_once * (1.0 - delay[1] if delay and not delay[0] else 0.0)
            room = max(0.0, stage.capacity - used[index])
            passes = min(flow, room / kept) if kept > 0 else flow
            refused[index, step] = flow - passes
            flow = passes
            keeps.append(kept)
        taken[step] = flow
        if flow:
            _will_close(closes, stay, step, flow)
        opened += flow * (1.0 - at_once)
        is_open[step] = opened
        for index, kept in enumerate(keeps):
            used[index] += flow * kept
            in_use[index, step] = used[index]
    return Course(offered=offered, taken=taken, refused=refused, is_open=is_open, in_use=in_use)


def _delay(blocked_steps: float) -> tuple[int, float] | None:
    """Whole steps, and the share that comes one step later; None = never back."""
    if isinf(blocked_steps):
        return None
    whole = floor(blocked_steps)
    return whole, blocked_steps - whole


def _back(closes: Floats, step: int, delay: tuple[int, float] | None) -> float:
    """Tuples that come back in a step, of connections taken in before it."""
    if delay is None:
        return 0.0
    whole, later = delay
    back = 0.0
    if step >= whole:
        back += (1.0 - later) * float(closes[step - whole])
    if later and step > whole:
        back += later * float(closes[step - whole - 1])
    return back


def _will_close(closes: Floats, stay: Stay, step: int, flow: float) -> None:
    last = len(closes) - 1
    if stay.until is not None:
        closes[min(max(stay.until, step), last)] += flow
        return
    inside = len(stay.steps)
    if step + stay.steps[-1] > last:
        inside = int(np.searchsorted(stay.steps, last - step, side="right"))
    closes[step + stay.steps[:inside]] += flow * stay.shares[:inside]


def unlimited(stages: Sequence[Stage]) -> list[Stage]:
    """The same hops with room for all."""
    return [Stage(capacity=inf, blocked_steps=stage.blocked_steps) for stage in stages]
