"""When connections are due within one phase, from its rate; pure.

A rate goes evenly from ``a`` to ``b`` over a phase of ``T`` seconds, so ``L(t) = a t + (b - a) t^2
/ (2 T)`` connections are asked for by the time ``t``. Constant arrivals are due when ``L`` reaches
0, 1, 2, ...; Poisson arrivals are due when it reaches the points of a process of rate 1, which
gives a Poisson process of exactly that rate (time-rescaling).

``L`` is inverted in the form ``t = 2 k / (a + sqrt(a^2 + 2 s k))``, ``s = (b - a) / T``, which
loses no digits for a steady rate (s = 0) nor for a falling one.

Source: Daley and Vere-Jones, An Introduction to the Theory of Point Processes, vol. 1 (2003),
theorem 7.4.I (time-rescaling); Higham, Accuracy and Stability of Numerical Algorithms (2002),
section 1.8 (the stable root of a quadratic).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Times = NDArray[np.int64]
    Floats = NDArray[np.float64]

#: Relative slack in counts that are whole numbers in theory and not in floating point.
_WHOLE = 1e-9


def expected_count(from_per_s: float, to_per_s: float, duration_ns: int) -> float:
    """Connections asked for over the whole phase: the integral of the rate."""
    return (from_per_s + to_per_s) / 2 * duration_ns / NS_PER_S


def when_reached(counts: Floats, from_per_s: float, to_per_s: float, duration_ns: int) -> Times:
    """When the integral of the rate reaches each count.

    Args:
        counts: shape (n,), each from 0 to `expected_count`.
        from_per_s: rate at the start, per second, > 0.
        to_per_s: rate at the end, per second, > 0.
        duration_ns: length of the phase, ns.

    Returns:
        Times since the phase began, ns, shape (n,), each from 0 to ``duration_ns - 1``.
    """
    slope = (to_per_s - from_per_s) / (duration_ns / NS_PER_S)
    root: Any = np.sqrt(from_per_s**2)
    if slope:  # a steady rate has one root for all: drawing is what a long plan waits for
        root = np.sqrt(np.maximum(from_per_s**2 + 2 * slope * counts, 0))
    times = 2 * counts
    times /= from_per_s + root
    times *= NS_PER_S
    times += 1e-6
    np.floor(times, out=times)
    clipped: Times = np.clip(times, 0, duration_ns - 1, out=times).astype(np.int64)
    return clipped


def even_counts(expected: float) -> Floats:
    """The counts at which evenly spaced connections are due: 0, 1, 2, ... below ``expected``."""
    return np.arange(int(np.ceil(expected * (1 - _WHOLE))), dtype=np.float64)


def even_points(expected: float, rows: int) -> Iterator[Floats]:
    """`even_counts` in parts of at most so many."""
    count = int(np.ceil(expected * (1 - _WHOLE)))
    for first in range(0, count, rows):
        yield np.arange(first, min(count, first + rows), dtype=np.float64)


def poisson_counts(expected: float, generator: np.random.Generator) -> Floats:
    """The points of a Poisson process of rate 1 below ``expected``, ascending."""
    return np.concatenate(list(poisson_points(expected, generator)))


def poisson_points(
    expected: float, generator: np.random.Generator, rows: int | None = None
) -> Iterator[Floats]:
    """The same in parts of at most so many, to the last bit; in few large ones unless told.

    Sums are carried from part to part in one order, since floating-point sums depend on it.
    """
    reached = 0.0
    while reached <= expected:
        left = expected - reached
        wanted = int(left + 4 * np.sqrt(left)) + 16
        size, carried = rows or wanted, 0.0
        for first in range(0, wanted, size):
            gaps = generator.standard_exponential(min(size, wanted - first))
            gaps[0] += carried
            points = np.cumsum(gaps, out=gaps)
            carried = float(points[-1])
            points = reached + points if reached else points
            if points[-1] >= expected:
                yield points[: int(np.searchsorted(points, expected, side="left"))]
                return
            yield points
        reached += carried


def constant_arrivals(from_per_s: float, to_per_s: float, duration_ns: int) -> Times:
    """Due times of evenly spaced connections, ns since the phase began, ascending.

    The first is due at once; ``ceil`` of the integral of the rate are due in all.
    """
    counts = even_counts(expected_count(from_per_s, to_per_s, duration_ns))
    return when_reached(counts, from_per_s, to_per_s, duration_ns)


def poisson_arrivals(
    from_per_s: float, to_per_s: float, duration_ns: int, generator: np.random.Generator
) -> Times:
    """Due times of a Poisson process, ns since the phase began, ascending."""
    points = poisson_counts(expected_count(from_per_s, to_per_s, duration_ns), generator)
    return when_reached(points, from_per_s, to_per_s, duration_ns)


def paced(count: int, rate_per_s: float, ramp_ns: int = 0) -> Times:
    """Due times of ``count`` connections one after the other at a rate, the first at once.

    Args:
        count: how many.
        rate_per_s: the rate, > 0.
        ramp_ns: time over which the rate rises evenly from 0 to that, so that ``rate t^2 / (2
            ramp)`` are due by a time ``t`` within it; all that follow are due half of it later.

    Returns:
        Times since the first, ns, shape (count,), ascending.
    """
    counts = np.arange(count, dtype=np.float64)
    times: NDArray[Any] = counts / rate_per_s * NS_PER_S
    if ramp_ns:
        within = rate_per_s * ramp_ns / NS_PER_S / 2
        rising = counts < within
        times += ramp_ns / 2
        times[rising] = np.sqrt(counts[rising] / within) * ramp_ns
    return np.floor(times + 1e-6).astype(np.int64)
