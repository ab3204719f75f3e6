"""What the conductor says of a resolver's pool: to the forger, and to the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.preflight.places import ROUTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.live.channel import Message
    from simulator.live.logbook import Logbook
    from simulator.live.roster import Member, Roster


def aim(
    roster: Roster, pools: Sequence[Message], endpoints: Sequence[Sequence[Any]]
) -> list[Member]:
    """Tell forgers whom to deceive and in whose name; returns them.

    Questions of the pool are sent from all addresses, so routing gives them the plain one.

    Args:
        roster: the crew.
        pools: what resolvers said of their pools.
        endpoints: backend, address and port of each server.
    """
    forgers = roster.of("forger")
    ports = [port for pool in pools for port in pool["ports"]]
    servers = [list(row[1:3]) for row in endpoints]
    message: Message = {"do": "aim", "victim": ROUTED, "ports": ports, "servers": servers}
    roster.tell(forgers, message)
    return forgers


def write_pools(pools: Iterable[Message], logbook: Logbook) -> None:
    """Note which ports each pool has, when there is one."""
    for pool in pools:
        told = {key: pool[key] for key in ("ports", "lost_races", "seen_by_kernel")}
        logbook.event("dns-pool", t_ns=0, **told)
