"""The numbers of one NAT, whoever built it: which way it allocates, and how much of what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from simulator.ports.range import PortRange

#: on-demand: any host may have any port. preallocated: each host has ports of its own from the
#: start. lent: hosts borrow blocks. masquerade: Linux's choice and its table. full-nat: each core
#: of a balancer has its part of every local address.
Kind = Literal["on-demand", "preallocated", "lent", "masquerade", "full-nat"]
Growth = Literal["fixed", "double"]
MappingName = Literal["destination", "endpoint"]

#: All ports that a NAT may give away: none of the system's.
NAT_PORTS: Final = PortRange(1024, 65535)
S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NatRule:
    """One NAT.

    Attributes:
        preset: whose numbers it began with.
        kind: how it allocates.
        addresses: outer addresses.
        ports: of each address.
        per_destination: most flows of one address toward one destination; None = its ports.
        per_host: ports that each host has from the start; None = by `azure_ports` for a
            preallocated NAT, else none.
        most_per_host: most ports that one host may have; None = all there are.
        block: ports of a block that is lent.
        growth: a host that asks gets ``ahead`` blocks, or as much as it has.
        ahead: blocks given to a host that asks again.
        keeps_block_ns: how long a host keeps a block that it does not use.
        grows_after_ns: from asking for a block until it can be used.
        mapping: a port serves one flow toward each destination, or one inner address and port.
        keep_port: whether the port behind the NAT is kept where it is free.
        after_fin_ns, after_reset_ns: how long a port rests after its flow has ended so.
        table: most flows tracked at once, those that rest included; None = no limit.
        cores: parts of a balancer that share no port.
        idle_ns: how long a flow may be silent before it is forgotten.
        counted_as: what its owner calls a flow that found no port.
    """

    preset: str
    kind: Kind
    addresses: int = 1
    ports: PortRange = NAT_PORTS
    per_destination: int | None = None
    per_host: int | None = None
    most_per_host: int | None = None
    block: int = 8
    growth: Growth = "fixed"
    ahead: int = 1
    keeps_block_ns: int = 60 * S
    grows_after_ns: int = 0
    mapping: MappingName = "destination"
    keep_port: bool = False
    after_fin_ns: int = 0
    after_reset_ns: int = 0
    table: int | None = None
    cores: int = 1
    idle_ns: int
    counted_as: str

    def rest_ns(self, *, reset: bool) -> int:
        """How long a port rests once its flow has ended."""
        return self.after_reset_ns if reset else self.after_fin_ns
