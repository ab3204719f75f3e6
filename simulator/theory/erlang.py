"""Loss when all tuples are taken: Erlang's B formula, also with callers who try again.

``n`` servers (tuples), offered load ``a = r (H + W)`` in erlangs: connections per second times the
time each holds its tuple. Connections that find no tuple are lost at once.

Holds for Poisson arrivals at a steady rate, in steady state, and for any distribution of the time
held with that mean, a constant one included (insensitivity). Not before about one such time has
passed since the start, not for evenly spaced arrivals, which lose less, and not for several groups
of tuples taken together: each group is a system of its own.

Source: Erlang, Solution of some problems in the theory of probabilities of significance in
automatic telephone exchanges (1917); Sevastyanov, An ergodic theorem for Markov processes and its
application to telephone systems with refusals (1957), for the insensitivity.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: So many deviations below full, the loss is less than 1e-15.
_FAR: Final = 9.0
_HALVINGS: Final = 80


def erlang_b(servers: int, load: float) -> float:
    """Share of arrivals that are lost.

    The recursion ``1/B(n) = 1 + (n / a) 1/B(n-1)`` adds positive numbers only, so that it loses no
    digits; it overflows to infinity, and B to 0, where B is below the smallest float. O(servers),
    good to 1e6 servers and more.

    Args:
        servers: n, >= 0.
        load: a, erlangs, >= 0.

    Raises:
        ValueError: an argument is negative.
    """
    if servers < 0 or load < 0:
        raise ValueError("servers and load cannot be negative")
    if load == 0:
        return 1.0 if servers == 0 else 0.0
    inverse = 1.0
    for number in range(1, servers + 1):
        inverse = 1.0 + number / load * inverse
    return 1.0 / inverse


def erlang_b_at(servers: int, loads: Floats) -> Floats:
    """The same for many loads at once, shape (k,); interpolated where loads lie close together.

    Raises:
        ValueError: an argument is negative.
    """
    if servers < 0 or (loads < 0).any():
        raise ValueError("servers and load cannot be negative")
    found = np.zeros(len(loads))
    near = loads > max(0.0, servers - _FAR * sqrt(servers) - _FAR)
    if not near.any():
        return found
    low, high = float(loads[near].min()), float(loads[near].max())
    # Between two of 257 loads the logarithm of B is all but straight: good to 1e-3 of B.
    grid = np.unique(np.concatenate([np.linspace(low, high, 257), [servers or 1.0]]))
    grid = grid[(grid >= low) & (grid <= high) & (grid > 0)]
    inverse = np.ones(len(grid))
    with np.errstate(over="ignore"):
        for number in range(1, servers + 1):
            inverse = 1.0 + number / grid * inverse
    logs = -np.log(np.minimum(inverse, 1e300))
    found[near] = np.exp(np.interp(loads[near], grid, logs))
    return found


def carried_per_s(servers: int, rate_per_s: float, held_s: float) -> float:
    """Connections per second that succeed, ``r (1 - B(n, r (H + W)))``."""
    return rate_per_s * (1.0 - erlang_b(servers, rate_per_s * held_s))


def servers_for(load: float, loss: float) -> int:
    """The fewest servers that lose no more than a share of the arrivals.

    Args:
        load: a, erlangs, >= 0.
        loss: 0 < loss <= 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    if load < 0 or not 0 < loss <= 1:
        raise ValueError("load cannot be negative, and loss is above 0 and at most 1")
    servers, inverse = 0, 1.0
    while load > 0 and inverse < 1.0 / loss:
        servers += 1
        inverse = 1.0 + servers / load * inverse
    return servers


def with_retries(servers: int, load: float, attempts: int) -> tuple[float, float]:
    """Erlang B when each lost arrival is tried again, up to so many attempts in all.

    The retries join the arrivals as if they were fresh ones: ``a' = a (1 + B + ... + B^(k-1))``
    with ``B = B(n, a')``. The right side grows with a', so that the fixed point is found by
    halving the interval from a to k a, and it is the least one.

    Valid where a retry meets a system that has forgotten the failure before it: pauses of at least
    the time held, and drawn, not all the same. Retries that come sooner fare worse, those that all
    come at once come as a herd.

    Source: Jewett, Shrago and Yomtov, Designing Optimal Voice Networks for Businesses, Government
    and Telephone Companies (1980), as extended Erlang B.

    Args:
        servers: n, >= 0.
        load: a, of first attempts, erlangs, >= 0.
        attempts: k, >= 1.

    Returns:
        Share of attempts that are lost, B; and the load of all attempts together, a', erlangs.
        The share of arrivals that give up is ``B ** k``.

    Raises:
        ValueError: an argument is out of its range.
    """
    if attempts < 1:
        raise ValueError("there is at least one attempt")
    low, high = load, load * attempts
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        lost = erlang_b(servers, middle)
        if load * sum(lost**number for number in range(attempts)) > middle:
            low = middle
        else:
            high = middle
        if high - low <= 1e-12 * high:
            break
    return erlang_b(servers, high), high
