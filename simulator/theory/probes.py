"""How many ports are looked at until a free one is found, by how full the range is.

``n`` ports, ``k`` of them taken, ``u = k / n``. Each function says how the taken ports must lie.
"""

from __future__ import annotations

from math import inf
from typing import Final

#: Ports that Linux's NAT looks at before it gives up: 128, then 64, 32, 16, 8 from new starts.
NETFILTER_TRIES: Final = 128 + 64 + 32 + 16 + 8


def random_with_replacement(ports: int, taken: int) -> float:
    """Even draws that forget what they saw: ``n / (n - k) = 1 / (1 - u)``.

    However the taken ports lie. Infinite when none is free.

    Source: the mean of the geometric distribution.

    Raises:
        ValueError: taken outside 0..ports, or no ports.
    """
    _check(ports, taken)
    return ports / (ports - taken) if taken < ports else inf


def random_without_replacement(ports: int, taken: int) -> float:
    """Ports in a random order, none twice: ``(n + 1) / (n - k + 1)``; all n when none is free.

    However the taken ports lie. Also the cost of a scan from an even start, where the taken ports
    are an even draw, as with a list of free ports that is shuffled.

    Source: the mean of the negative hypergeometric distribution.

    Raises:
        ValueError: taken outside 0..ports, or no ports.
    """
    _check(ports, taken)
    return min(float(ports), (ports + 1) / (ports - taken + 1))


def linear_probing(ports: int, taken: int) -> float:
    """A scan from an even start over ports that such scans have filled, and none given back.

    Exact: ``(1 + Q1) / 2`` with ``Q1 = sum (i + 1) k (k - 1) ... (k - i + 1) / n^i``; near
    ``(1 + 1 / (1 - u)^2) / 2`` away from a full range. Each taken run is met in proportion to its
    length and grows by one for it, so that scans cost far more than draws. All n when none is free.

    Where ports are given back, the runs have holes, and the cost lies between this and
    `random_without_replacement`.

    Source: Knuth, The Art of Computer Programming, vol. 3 (1998), section 6.4, theorem K.

    Raises:
        ValueError: taken outside 0..ports, or no ports.
    """
    _check(ports, taken)
    if taken == ports:
        return float(ports)
    term, total = 1.0, 0.0
    for number in range(taken + 1):
        total += (number + 1) * term
        term *= (taken - number) / ports
        if term * (number + 2) < 1e-16 * total:
            break
    return (1.0 + total) / 2


def tries_fail(occupancy: float, tries: int = NETFILTER_TRIES) -> float:
    """Probability that so many independent draws all find their port taken, ``u^t``.

    A lower bound for scans of neighbours, as netfilter's are, since taken ports lie together.

    Raises:
        ValueError: occupancy outside 0..1, or tries < 0.
    """
    if not 0 <= occupancy <= 1 or tries < 0:
        raise ValueError("occupancy is from 0 to 1, and tries cannot be negative")
    return float(occupancy**tries)


def _check(ports: int, taken: int) -> None:
    if ports < 1 or not 0 <= taken <= ports:
        raise ValueError("there is at least one port, and from none to all of them are taken")
