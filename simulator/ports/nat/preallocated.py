"""Preallocated: each host behind the NAT has ports of its own, dealt out before anybody asks.

Azure's balancer deals by the size of its pool, from each of its addresses anew and up to 1,024 a
host in all; a host uses the ports of the first address until they are taken, then those of the
next. Google's static allocation deals a power of two to each machine, address after address. Either
way a port serves one flow toward each destination, and a host that came too late has none.

Sources: Azure Load Balancer, SNAT for outbound connections; Google Cloud NAT, ports and addresses.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from simulator.ports.nat.flow import Flow, Grant, Shortage, Use
from simulator.ports.nat.pool import Pool
from simulator.ports.range import PortRange
from simulator.ports.selection.free_list import RandomFreePorts, shuffled, usable_ports
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.ports.nat.rule import NatRule

#: Most hosts of a pool -> ports that Azure gives each of them, for one address.
AZURE_TABLE: Final = ((50, 1024), (100, 512), (200, 256), (400, 128), (800, 64), (1000, 32))
#: More than this no host gets by default, however many addresses there are.
AZURE_MOST: Final = 1024

Block = tuple[int, PortRange]


def azure_ports(hosts: int) -> int:
    """Ports that Azure deals to each host of a pool by default, for one address.

    Raises:
        ValueError: the pool is larger than the table goes.
    """
    for most, ports in AZURE_TABLE:
        if hosts <= most:
            return ports
    raise ValueError(f"is {hosts}; Azure's table ends at {AZURE_TABLE[-1][0]} hosts")


def deal(rule: NatRule, hosts: int) -> list[list[Block]]:
    """The blocks of each host, as (address, ports), in the order in which it uses them.

    Args:
        rule: its numbers.
        hosts: how many there are; those for whom nothing is left have no block.
    """
    if rule.per_host is not None:
        return _one_block_each(rule, hosts, rule.per_host)
    each = azure_ports(hosts)
    blocks: list[list[Block]] = [[] for _ in range(hosts)]
    for address in range(min(rule.addresses, AZURE_MOST // each)):
        for host, block in zip(range(hosts), _cut(rule.ports, each), strict=False):
            blocks[host].append((address, block))
    return blocks


def _one_block_each(rule: NatRule, hosts: int, size: int) -> list[list[Block]]:
    room = ((at, block) for at in range(rule.addresses) for block in _cut(rule.ports, size))
    blocks = [[one] for one in islice(room, hosts)]
    return [*blocks, *([] for _ in range(hosts - len(blocks)))]


def _cut(ports: PortRange, size: int) -> Iterator[PortRange]:
    for first in range(ports.first, ports.last - size + 2, size):
        yield PortRange(first, first + size - 1)


def dealt(rule: NatRule, hosts: int) -> tuple[int, int]:
    """How many hosts have ports, and how many each: what `deal` comes to, without dealing."""
    each = rule.per_host or azure_ports(hosts)
    room = len(rule.ports) // each
    if rule.per_host is not None:
        return min(hosts, room * rule.addresses), each
    return min(hosts, room), each * min(rule.addresses, AZURE_MOST // each)


class Preallocated:
    """Blocks that stay with their hosts.

    Args:
        rule: its numbers.
        hosts: how many share its addresses.
        seed: of its draws.
    """

    def __init__(self, rule: NatRule, hosts: int, seed: int) -> None:
        self.shortage = Shortage.PORTS
        self.asks = 0
        self._rule = rule
        self._blocks = deal(rule, hosts)
        self._stream = pure_random(seed, "nat", "preallocated")
        self._pools: dict[tuple[int, int], list[Pool]] = {}

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """A port of the host's first block that has one."""
        pools = self._of(flow)
        if not pools:
            self.shortage = Shortage.POOL
            return None
        for (address, _), pool in zip(self._blocks[flow.host], pools, strict=True):
            port = pool.take(now_ns)
            if port:
                return Grant(address, port)
        self.shortage = Shortage.PORTS
        return None

    def _of(self, flow: Flow) -> list[Pool]:
        key = (flow.host, flow.destination)
        pools = self._pools.get(key)
        if pools is None:
            pools = self._pools[key] = [
                Pool(RandomFreePorts(shuffled(usable_ports(block), self._stream), self._stream))
                for _, block in self._blocks[flow.host]
            ]
        return pools

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """The port rests, and stays the host's."""
        addresses = [address for address, _ in self._blocks[flow.host]]
        pool = self._of(flow)[addresses.index(grant.address)]
        pool.give_back(grant.port, now_ns, self._rule.rest_ns(reset=reset))

    def settle(self, now_ns: int) -> None:
        """Free what has rested enough."""
        for pools in self._pools.values():
            for pool in pools:
                pool.settle(now_ns)

    def uses(self) -> Iterator[Use]:
        """By host and destination, over all addresses."""
        for (host, destination), pools in self._pools.items():
            opened = sum(pool.open for pool in pools)
            yield Use(host, destination, opened, sum(len(pool.resting) for pool in pools))
