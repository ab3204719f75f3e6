"""What reuse of connections saves, and what idle time-outs cost.

A pool that puts ``q`` requests on each connection opens ``r / q`` connections for ``r`` requests
per second, so that the ceiling of its tuples counts in requests. A time-out ends an idle connection
when no request came for so long.

With Poisson requests at ``s`` per second on one connection, gaps are exponential: a gap outlasts a
time-out of ``t`` seconds with probability ``exp(-s t)``, whatever came before it.

Source: Little, A Proof for the Queuing Formula L = lambda W (1961); Feller, An Introduction to
Probability Theory and Its Applications, vol. 2 (1971), section I.3 (no memory).
"""

from __future__ import annotations

from math import exp, expm1, inf

from simulator.theory.little import ceiling_per_s


def connections_per_s(requests_per_s: float, requests_each: float) -> float:
    """Connections opened per second, ``r / q``.

    Raises:
        ValueError: a rate below 0, or fewer than 1 request a connection.
    """
    if requests_per_s < 0 or requests_each < 1:
        raise ValueError("rates cannot be negative, and a connection carries at least one request")
    return requests_per_s / requests_each


def requests_ceiling_per_s(
    tuples: float, requests_each: float, open_s: float, blocked_s: float
) -> float:
    """Most requests per second, ``q N / (H + W)``; H is the time a connection with q is open, s.

    Raises:
        ValueError: an argument is out of its range.
    """
    if requests_each < 1:
        raise ValueError("a connection carries at least one request")
    return requests_each * ceiling_per_s(tuples, open_s, blocked_s)


def reuse_for(requests_per_s: float, tuples: float, between_s: float, blocked_s: float) -> float:
    """Requests that each connection must carry at the least, requests ``between_s`` apart on it.

    With H = q d the tuples in use are ``(r / q)(q d + W) = r d + r W / q``, so that ``q = r W /
    (N - r d)``: no reuse helps where the connections that are busy at once fill the tuples alone.

    Returns:
        q, at least 1; infinite where no reuse is enough.

    Raises:
        ValueError: an argument is negative.
    """
    if min(requests_per_s, tuples, between_s, blocked_s) < 0:
        raise ValueError("rates, tuples and times cannot be negative")
    left = tuples - requests_per_s * between_s
    if left <= 0:
        return inf if requests_per_s * (between_s + blocked_s) > tuples else 1.0
    return max(1.0, requests_per_s * blocked_s / left)


def found_closed(rate_per_s: float, timeout_s: float) -> float:
    """Share of requests that find their connection timed out, ``exp(-s t)``.

    Args:
        rate_per_s: s, Poisson requests per second on one connection of the pool, >= 0.
        timeout_s: t, s, >= 0.

    Raises:
        ValueError: an argument is negative.
    """
    if min(rate_per_s, timeout_s) < 0:
        raise ValueError("rates and times cannot be negative")
    return exp(-rate_per_s * timeout_s)


def survives(rate_per_s: float, timeout_s: float, requests: int) -> float:
    """Probability that a connection carries all of its requests, ``(1 - exp(-s t))^(q - 1)``.

    Raises:
        ValueError: an argument is negative, or there is no request.
    """
    if requests < 1:
        raise ValueError("a connection carries at least one request")
    return float((1.0 - found_closed(rate_per_s, timeout_s)) ** (requests - 1))


def mean_requests(rate_per_s: float, timeout_s: float) -> float:
    """Requests that a connection carries until it is idle for too long, ``exp(s t)`` on average.

    Infinite where that is beyond a float.

    Raises:
        ValueError: an argument is negative.
    """
    closed = found_closed(rate_per_s, timeout_s)
    return 1.0 / closed if closed > 0 else inf


def mean_open_s(rate_per_s: float, timeout_s: float) -> float:
    """Time until a connection is closed for being idle, from its first request, s on average.

    ``(exp(s t) - 1) / s``: the waiting time for the first gap of t in a Poisson process.

    Source: Feller, vol. 2, section XI.7 (the blocked pedestrian).

    Raises:
        ValueError: an argument is negative.
    """
    if min(rate_per_s, timeout_s) < 0:
        raise ValueError("rates and times cannot be negative")
    if rate_per_s == 0:
        return timeout_s
    load = rate_per_s * timeout_s
    return expm1(load) / rate_per_s if load < 700 else inf
