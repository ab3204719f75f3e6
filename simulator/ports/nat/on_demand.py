"""On demand: any host behind the NAT may have any port, as long as the tuple is free.

The limit is one address toward one destination. AWS's gateway and network balancer allow 55,000
there, Azure's NAT gateway 50,000 of 64,512 ports, picked at random, and lets a port rest after its
flow; while it rests, it may still serve another destination.

Sources: Amazon VPC guide, NAT gateway basics; Azure, SNAT with NAT gateway. Which of several
addresses is taken is not documented: here it is drawn, and the others follow when it is full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.ports.nat.flow import Flow, Grant, Shortage, Use
from simulator.ports.nat.pool import Pool
from simulator.ports.selection.free_list import RandomFreePorts, shuffled
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from simulator.ports.nat.rule import NatRule


class OnDemand:
    """All ports for all hosts.

    Args:
        rule: its numbers.
        ports: of each address.
        seed: of its draws.
        names: of the random stream, where several share a seed.
    """

    def __init__(self, rule: NatRule, ports: array[int], seed: int, *names: str | int) -> None:
        stream = pure_random(seed, "nat", *names)
        self.shortage = Shortage.PORTS
        self.asks = 0
        self._rule = rule
        self._stream = stream
        self._order = shuffled(ports, stream)
        self._pools: dict[tuple[int, int], Pool] = {}
        self._flows = 0

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """A port of a drawn address, or of the next one that has any."""
        rule = self._rule
        if rule.table is not None and self._flows >= rule.table:
            self.settle(now_ns)
            if self._flows >= rule.table:
                self.shortage = Shortage.TABLE
                return None
        first = int(self._stream.random() * rule.addresses) if rule.addresses > 1 else 0
        for step in range(rule.addresses):
            address = (first + step) % rule.addresses
            port = self._pool(address, flow.destination).take(now_ns)
            if port:
                self._flows += 1
                return Grant(address, port)
        self.shortage = Shortage.PORTS
        return None

    def _pool(self, address: int, destination: int) -> Pool:
        pool = self._pools.get((address, destination))
        if pool is None:
            free = RandomFreePorts(self._order, self._stream)
            pool = self._pools[address, destination] = Pool(free, self._rule.per_destination)
        return pool

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """The port rests, toward this destination only."""
        rest_ns = self._rule.rest_ns(reset=reset)
        self._pools[grant.address, flow.destination].give_back(grant.port, now_ns, rest_ns)

    def settle(self, now_ns: int) -> None:
        """Free what has rested enough."""
        self._flows = 0
        for pool in self._pools.values():
            pool.settle(now_ns)
            self._flows += pool.open + len(pool.resting)

    def uses(self) -> Iterator[Use]:
        """By address and destination."""
        for (address, destination), pool in self._pools.items():
            yield Use(address, destination, pool.open, len(pool.resting))
