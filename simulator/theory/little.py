"""Little's law for ports: how fast connections can be opened when each holds a tuple for a time.

Letters: ``N`` tuples that can be used, ``H`` time a connection is open (s), ``W`` time its tuple
stays blocked after the close, TIME_WAIT (s), ``r`` connections opened per second. Tuples in use on
average are ``r (H + W)``, whatever the distributions of H and W; they cannot be more than N.

Source: Little, A Proof for the Queuing Formula L = lambda W, Operations Research 9(3), 1961.
"""

from __future__ import annotations

from math import inf


def ceiling_per_s(tuples: float, open_s: float, blocked_s: float) -> float:
    """Most connections per second that a number of tuples can sustain, ``N / (H + W)``.

    Args:
        tuples: N, >= 0.
        open_s: H, mean, s, >= 0.
        blocked_s: W, s, >= 0.

    Returns:
        Connections per second; infinite when tuples are not held at all.

    Raises:
        ValueError: an argument is negative.
    """
    if min(tuples, open_s, blocked_s) < 0:
        raise ValueError("tuples and times cannot be negative")
    held_s = open_s + blocked_s
    return tuples / held_s if held_s > 0 else inf


def tuples_in_use(rate_per_s: float, open_s: float, blocked_s: float) -> float:
    """Tuples in use on average at a steady rate, ``r (H + W)``.

    Raises:
        ValueError: an argument is negative.
    """
    if min(rate_per_s, open_s, blocked_s) < 0:
        raise ValueError("rates and times cannot be negative")
    return rate_per_s * (open_s + blocked_s)


def lasts_s(tuples: float, rate_per_s: float, open_s: float, blocked_s: float) -> float:
    """How long a steady rate goes on until the tuples are used up, from an idle start.

    Until the first tuple comes back, at ``H + W`` (both fixed), every connection takes a new one,
    so the N-th is taken after ``N / r``; at or below the ceiling none is ever missing.

    Raises:
        ValueError: an argument is negative.
    """
    if tuples_in_use(rate_per_s, open_s, blocked_s) <= tuples:
        return inf
    return tuples / rate_per_s
