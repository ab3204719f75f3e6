"""Lent: hosts borrow blocks of ports when they need them, and give idle ones back.

Ananta lends blocks of 8 neighbouring ports, so that one answer of its manager serves 8 connections
toward one destination, and a host that asks again may be given several. Google's dynamic allocation
begins with a minimum and doubles it up to a maximum. Carriers lend blocks of hundreds, so that one
line of a log covers them all, up to a limit for each subscriber.

A block that no flow uses, and on which none rests, may go back after a while; each host keeps what
it began with. While a block is on its way, new connections find no port.

Sources: Patel et al., Ananta, SIGCOMM 2013, section 3.5.1; Google Cloud NAT, ports and addresses;
RFC 6888 (REQ-4, limit for each subscriber; REQ-8, 120 s before a port is used again), RFC 7422.
When hosts give blocks back is documented nowhere: an assumption of the presets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simulator.ports.nat.flow import Flow, Grant, Shortage, Use
from simulator.ports.nat.pool import Pool
from simulator.ports.selection.free_list import NO_PORT_LEFT
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from simulator.ports.nat.rule import NatRule

#: A place is a port, with the number of its address above the port's sixteen bits.
_SHIFT: Final = 16
_PORT: Final = 0xFFFF


class GrowingPorts:
    """Free places in random order, of which there may be more or fewer later; a `FreePorts`."""

    __slots__ = ("_draw", "_free")

    def __init__(self, places: Iterable[int], draw: Callable[[], float]) -> None:
        self._free = list(places)
        self._draw = draw

    def __len__(self) -> int:
        return len(self._free)

    def take(self) -> int:
        """Any free place, or NO_PORT_LEFT."""
        free = self._free
        if not free:
            return NO_PORT_LEFT
        at = int(self._draw() * len(free))
        free[at], free[-1] = free[-1], free[at]
        return free.pop()

    def give_back(self, port: int) -> None:
        """A place is free again."""
        self._free.append(port)

    def add(self, places: Iterable[int]) -> None:
        """More places."""
        self._free.extend(places)

    def remove(self, places: range) -> None:
        """Places that are all free are there no more."""
        self._free = [one for one in self._free if one not in places]


@dataclass(slots=True, kw_only=True)
class _Host:
    """What one host has borrowed.

    Attributes:
        blocks: number of each block -> flows on it, resting ones included.
        idle_since: number of a block without flows -> since when, ns.
        pools: by destination, with their ports.
        coming: (moment, blocks) of those on their way.
        asked: whether it has asked before.
    """

    blocks: dict[int, int] = field(default_factory=dict)
    idle_since: dict[int, int] = field(default_factory=dict)
    pools: dict[int, tuple[Pool, GrowingPorts]] = field(default_factory=dict)
    coming: tuple[int, list[int]] | None = None
    asked: bool = False


class Lent:
    """Blocks that come and go.

    Args:
        rule: its numbers.
        hosts: how many share its addresses.
        seed: of its draws.
    """

    def __init__(self, rule: NatRule, hosts: int, seed: int) -> None:
        self.shortage = Shortage.PORTS
        self.asks = 0
        self._rule = rule
        self._draw = pure_random(seed, "nat", "lent").random
        self._per_address = len(rule.ports) // rule.block
        self._free = deque(range(self._per_address * rule.addresses))
        self._hosts = [_Host() for _ in range(hosts)]
        self._first = (rule.per_host or 0) // rule.block
        self._kept = max(self._first, 1)  # what a host has at least, once it has any
        for host in self._hosts:
            self._give(host, self._reserve(self._first), 0)

    # Flows.

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """A place in the host's blocks, or in those that it gets now."""
        host = self._hosts[flow.host]
        if host.coming is not None and host.coming[0] <= now_ns:
            self._give(host, host.coming[1], now_ns)
            host.coming = None
        pool, _ = self._pool(host, flow.destination)
        self._settle(host, pool, now_ns)
        place = pool.take(now_ns)
        if not place and host.coming is None and self._grow(host, now_ns):
            place = pool.take(now_ns)
        if not place:
            return None
        number = self._number(place)
        host.blocks[number] += 1
        host.idle_since.pop(number, None)
        return Grant(place >> _SHIFT, place & _PORT)

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """The place rests; then its block may be idle."""
        host = self._hosts[flow.host]
        place = grant.address << _SHIFT | grant.port
        rest_ns = self._rule.rest_ns(reset=reset)
        host.pools[flow.destination][0].give_back(place, now_ns, rest_ns)
        if not rest_ns:
            self._left(host, place, now_ns)

    def _pool(self, host: _Host, destination: int) -> tuple[Pool, GrowingPorts]:
        found = host.pools.get(destination)
        if found is None:
            places = [place for number in host.blocks for place in self._places(number)]
            free = GrowingPorts(places, self._draw)
            found = host.pools[destination] = (Pool(free), free)
        return found

    def _settle(self, host: _Host, pool: Pool, now_ns: int) -> None:
        for at_ns, place in pool.settle(now_ns):
            self._left(host, place, at_ns)

    def _left(self, host: _Host, place: int, at_ns: int) -> None:
        number = self._number(place)
        host.blocks[number] -= 1
        if not host.blocks[number]:
            host.idle_since[number] = at_ns

    # Blocks.

    def _places(self, number: int) -> range:
        address, index = divmod(number, self._per_address)
        first = (address << _SHIFT) + self._rule.ports.first + index * self._rule.block
        return range(first, first + self._rule.block)

    def _number(self, place: int) -> int:
        index = ((place & _PORT) - self._rule.ports.first) // self._rule.block
        return (place >> _SHIFT) * self._per_address + index

    def _grow(self, host: _Host, now_ns: int) -> bool:
        """Ask for blocks; whether they are there already."""
        rule, have = self._rule, len(host.blocks)
        wanted = have if rule.growth == "double" and have else rule.ahead if host.asked else 1
        if rule.most_per_host is not None:
            wanted = min(wanted, rule.most_per_host // rule.block - have)
        self.shortage = Shortage.PORTS
        if wanted <= 0:
            return False
        if len(self._free) < wanted:
            self.settle(now_ns)
        blocks = self._reserve(wanted)
        if not blocks:
            self.shortage = Shortage.POOL
            return False
        self.asks += 1
        host.asked = True
        if rule.grows_after_ns:
            host.coming = (now_ns + rule.grows_after_ns, blocks)
            return False
        self._give(host, blocks, now_ns)
        return True

    def _reserve(self, wanted: int) -> list[int]:
        return [self._free.popleft() for _ in range(min(wanted, len(self._free)))]

    def _give(self, host: _Host, blocks: list[int], now_ns: int) -> None:
        for number in blocks:
            host.blocks[number] = 0
            host.idle_since[number] = now_ns
            for _, free in host.pools.values():
                free.add(self._places(number))

    def _take_back(self, host: _Host, now_ns: int) -> None:
        """Blocks that were idle for long enough, but for those that the host began with."""
        spare = len(host.blocks) - self._kept
        keeps_ns = self._rule.keeps_block_ns
        gone = [one for one, since in host.idle_since.items() if since + keeps_ns <= now_ns]
        for number in gone[:spare]:
            del host.blocks[number], host.idle_since[number]
            for _, free in host.pools.values():
                free.remove(self._places(number))
            self._free.append(number)

    def settle(self, now_ns: int) -> None:
        """Free what has rested enough, and take idle blocks back."""
        for host in self._hosts:
            for pool, _ in host.pools.values():
                self._settle(host, pool, now_ns)
            if host.idle_since and len(host.blocks) > self._kept:
                self._take_back(host, now_ns)

    def uses(self) -> Iterator[Use]:
        """By host and destination."""
        for number, host in enumerate(self._hosts):
            for destination, (pool, _) in host.pools.items():
                yield Use(number, destination, pool.open, len(pool.resting))

    def blocks_of(self, host: int) -> int:
        """Blocks that a host has now, without those on their way."""
        return len(self._hosts[host].blocks)
