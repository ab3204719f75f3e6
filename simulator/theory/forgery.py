"""Odds that a forged DNS answer is believed, by how many source ports a resolver draws from.

A forger sends ``F = R W`` answers within the window ``W`` in which the resolver waits for the true
one. One is believed if it has the right ID (of I), source port (of P) and server address (of N).

Valid for a forger that sees nothing and never sends the same guess twice in one window, and a
resolver that draws ports and IDs evenly; an outsider who can learn the port apart from the ID (as
with side channels) needs P + I guesses and not P x I. At most one window for each TTL, since a true
answer is cached for so long; a name that is not cached, or asked anew each time, gives windows one
after the other.

Source: RFC 5452, sections 7.1 (symbols), 7.2 (the formula) and 8 (over time).
"""

from __future__ import annotations

from math import ceil, expm1, inf, log1p
from typing import Final

#: Values of the 16 bits of a query's ID.
IDS: Final = 65_536
#: Name servers of a domain, on average, as the RFC has it.
SERVERS: Final = 2.5


def spoofed_once(
    ports: float,
    packets: float,
    *,
    servers: float = SERVERS,
    ids: float = IDS,
    outstanding: float = 1.0,
) -> float:
    """Probability within one window, ``D F / (N P I)``, at most 1.

    Args:
        ports: P, source ports that queries are drawn from, >= 1.
        packets: F, forged answers that arrive within the window (R x W), >= 0.
        servers: N, addresses that the answer may have to come from, >= 1.
        ids: I, >= 1.
        outstanding: D, identical questions that are open at once, >= 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    if min(ports, servers, ids, outstanding) < 1 or packets < 0:
        raise ValueError("ports, servers, IDs and questions are at least 1, packets at least 0")
    return min(1.0, outstanding * packets / (servers * ports * ids))


def spoofed_by(once: float, windows: float) -> float:
    """Probability within so many windows, ``1 - (1 - P)^A``.

    Args:
        once: P within one window, 0..1.
        windows: A, T / TTL for a name that is cached, T / W where windows follow each other.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(once)
    if windows < 0:
        raise ValueError("windows cannot be negative")
    if once >= 1:
        return 1.0 if windows > 0 else 0.0
    return -expm1(windows * log1p(-once))


def windows_for(once: float, probability: float = 0.5) -> float:
    """Windows after which the forger has succeeded with a probability; infinite if never.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(once)
    _check(probability)
    if probability == 0:
        return 0.0
    if once == 0 or (probability == 1 and once < 1):
        return inf
    return 1.0 if once == 1 else log1p(-probability) / log1p(-once)


def time_to_s(once: float, window_every_s: float, probability: float = 0.5) -> float:
    """Time until then, s, with a window every so many seconds (its TTL, or W).

    Raises:
        ValueError: an argument is out of its range.
    """
    if window_every_s < 0:
        raise ValueError("times cannot be negative")
    return windows_for(once, probability) * window_every_s


def ports_for(once_at_one_port: float, windows: float, probability: float) -> int:
    """The fewest ports that keep the odds within so many windows at or below a probability.

    Args:
        once_at_one_port: D F / (N I), 0..1.
        windows: A, > 0.
        probability: above 0 and below 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check(once_at_one_port)
    if windows <= 0 or not 0 < probability < 1:
        raise ValueError("there is more than no window, and the probability is between 0 and 1")
    allowed = -expm1(log1p(-probability) / windows)
    return max(1, ceil(once_at_one_port / allowed - 1e-12))


def taken_by_pool(pool: int, ports: int) -> float:
    """Probability that a given port is one of a pool drawn without replacement, ``q / n``.

    Raises:
        ValueError: pool outside 0..ports, or no ports.
    """
    if ports < 1 or not 0 <= pool <= ports:
        raise ValueError("a pool has from none to all of the ports")
    return pool / ports


def _check(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise ValueError("a probability is from 0 to 1")
