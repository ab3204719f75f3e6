"""What Linux's rule of two parities costs: ports that connect() walks until it finds a free one.

connect() goes through every second port of the range first, all those of one parity, from a start
that a keyed hash and a counter give, and then through the others in the same way. So up to half of
the range a free port is near, and from then on every connect() first walks the whole of one parity:
``n / 2`` ports, all taken. Below half the counter usually stands just before free ports, so that
one or two are looked at; a start that falls anywhere costs as much as linear probing, which is the
upper bound given here.

bind() to port 0 does the same with the other parity first. With a range of the socket's own
(IP_LOCAL_PORT_RANGE, since Linux 6.8) there is one walk over all ports, and no cliff.

Valid for ports that are filled toward one destination and not given back in between; TIME_WAIT that
comes back leaves holes, and costs less.

Source: net/ipv4/inet_hashtables.c `__inet_hash_connect`, Linux 6.8 to 6.18.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.theory.probes import linear_probing


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Ports that one connect() looks at, the free one at its end included.

    Attributes:
        least: when its start is just before a free port.
        most: on average, when its start may be anywhere (linear probing).
    """

    least: float
    most: float


def parity_walk(ports: int, taken: int) -> Walk:
    """The next connect() of a range whose first parity is filled before the second.

    Args:
        ports: n of the range; an odd one counts as one less, as the kernel does.
        taken: k of them toward this destination.

    Raises:
        ValueError: fewer than 2 ports, or taken outside 0..ports.
    """
    if ports < 2 or not 0 <= taken <= ports:
        raise ValueError("there are at least two ports, and from none to all of them are taken")
    each = ports // 2
    taken = min(taken, 2 * each)
    if taken < each:
        return Walk(least=1.0, most=linear_probing(each, taken))
    if taken == 2 * each:
        return Walk(least=2.0 * each, most=2.0 * each)
    return Walk(least=each + 1.0, most=each + linear_probing(each, taken - each))


def stride_one_walk(ports: int, taken: int) -> Walk:
    """The next connect() with a range of the socket's own: one walk, no cliff.

    Raises:
        ValueError: no ports, or taken outside 0..ports.
    """
    most = linear_probing(ports, taken)
    return Walk(least=1.0 if taken < ports else most, most=most)


def walk_ns(walked: float, each_ns: float = 48.0) -> float:
    """Time of a walk, ns; 48 ns a port were measured on Linux 6.18, 160 ns are told of 6.6."""
    return walked * each_ns
