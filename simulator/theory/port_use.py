"""How likely one given port is in use under a steady load, by Little's law.

Letters: ``r`` connections per second toward one destination, ``H`` time a connection is open (s),
``W`` time its tuple stays blocked after the close (s), ``N`` ports of the range. On average
``r (H + W)`` ports are in use, at most N; where every port is as likely as any other, one given
port is in use with a chance of ``r (H + W) / N``.

Linux's connect() does not treat them alike: it takes ports with the parity of the range's first
port, and the others only when all of those are in use.

Source: Little, A Proof for the Queuing Formula L = lambda W, Operations Research 9(3), 1961;
Linux net/ipv4/inet_hashtables.c (__inet_hash_connect).
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.theory.little import ceiling_per_s, tuples_in_use


@dataclass(frozen=True, slots=True, kw_only=True)
class PortUse:
    """What a steady load does to a range toward one destination.

    Attributes:
        wanted: ports the load would have in use, ``r (H + W)``; may be more than there are.
        ports: N.
        any_port: chance that a given port is in use, if all are alike.
        first_parity: the same for a port with the parity of the range's first one, when those are
            taken first.
        other_parity: the same for the others.
        ceiling_per_s: the rate at which the range is used up.
    """

    wanted: float
    ports: int
    any_port: float
    first_parity: float
    other_parity: float
    ceiling_per_s: float


def port_use(*, ports: int, rate_per_s: float, open_s: float, blocked_s: float) -> PortUse:
    """What a steady load does to ``ports`` ports toward one destination.

    Args:
        ports: N, at least 1.
        rate_per_s: r, >= 0.
        open_s: H, mean, s, >= 0.
        blocked_s: W, s, >= 0.

    Raises:
        ValueError: there is no port, or an argument is negative.
    """
    if ports < 1:
        raise ValueError("a range has at least one port")
    wanted = tuples_in_use(rate_per_s, open_s, blocked_s)
    busy = min(wanted, float(ports))
    first = (ports + 1) // 2
    in_first = min(busy, float(first))
    others = ports - first
    return PortUse(
        wanted=wanted,
        ports=ports,
        any_port=busy / ports,
        first_parity=in_first / first,
        other_parity=(busy - in_first) / others if others else 0.0,
        ceiling_per_s=ceiling_per_s(ports, open_s, blocked_s),
    )
