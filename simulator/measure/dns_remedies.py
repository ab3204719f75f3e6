"""What mends a DNS failure that nothing ran out for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.dns.message import UDP_BYTES
from simulator.units import format_ns

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


def dns_remedy(error: str, scenario: Scenario) -> str:
    """One remedy for an error of a resolver's clients.

    Args:
        error: its name, ``TIMEOUT``, ``SERVFAIL`` and so on.
        scenario: what was asked.
    """
    resolver = scenario.balancer.resolver
    assert resolver is not None, "only with a resolver"
    tries = 1 + scenario.balancer.retries
    wait = format_ns(resolver.timeout)
    known = {
        "TIMEOUT": (
            f"find the servers that stay silent: {tries} of them {'were' if tries > 1 else 'was'} "
            f"asked in vain for {wait} each (balancer.resolver.timeout); more balancer.retries ask "
            "more of them"
        ),
        "SERVFAIL": "look at the servers that say SERVFAIL: they were reached and could not answer",
        "NXDOMAIN": "ask for names that exist: the servers know the zone and not the name",
        "TRUNCATED": (
            f"make answers fit into {UDP_BYTES} bytes, or ask again by TCP, which nobody here does"
        ),
        "NO_BACKEND": "bring back a server: the resolver had none left to ask",
        "NO_PORT": "widen the pool: every port and ID had a question open",
        "PROTOCOL": "look at the answers: they are none, or to other questions",
    }
    return known.get(error, f"look up {error}: it is none of the failures that this resolver knows")
