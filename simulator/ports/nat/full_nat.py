"""Full NAT of a load balancer: its cores share addresses, but no port is shared by two of them.

A connection lands on the core that its client's address and port hash to, and finds the ports of
that core's part only: with eight cores a local address has an eighth of its ports for it. So one
core may refuse while the others are half empty, as the operators of such balancers report.

Sources: DPVS, conf of local addresses and src/sa_pool.c (ports by core); LVS, ip_vs_proto_tcp.c
(120 s of TIME_WAIT, 10 s after a reset). The hash is ours and keyed, as a network card's is: the
finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from simulator.ports.nat.flow import Flow, Grant, Shortage, Use
from simulator.ports.nat.on_demand import OnDemand
from simulator.ports.selection.free_list import usable_ports
from simulator.seeds import stream_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.ports.nat.rule import NatRule


_MASK: Final = (1 << 64) - 1


def mixed(value: int) -> int:
    """A number of 64 bits in which every bit depends on every bit of another one."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


class FullNat:
    """One pool on demand for each core.

    Args:
        rule: its numbers.
        seed: of its draws, and of the hash.
    """

    def __init__(self, rule: NatRule, seed: int) -> None:
        self.shortage = Shortage.PORTS
        self.asks = 0
        ports = usable_ports(rule.ports)
        self._addresses = rule.addresses
        self._key = stream_key(seed, "nat", "cores") & _MASK
        self._cores = [
            OnDemand(rule, array("H", ports[core :: rule.cores]), seed, "core", core)
            for core in range(rule.cores)
        ]

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """A port of the core that the flow lands on."""
        core = self._core(flow)
        grant = core.take(flow, now_ns)
        if grant is None:
            self.shortage = core.shortage
        return grant

    def _core(self, flow: Flow) -> OnDemand:
        return self._cores[mixed(self._key ^ (flow.host << 16 | flow.port)) % len(self._cores)]

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """The port rests with its core."""
        self._core(flow).give_back(flow, grant, now_ns, reset=reset)

    def settle(self, now_ns: int) -> None:
        """Free what has rested enough."""
        for core in self._cores:
            core.settle(now_ns)

    def uses(self) -> Iterator[Use]:
        """By each core's part of each address, and destination."""
        for number, core in enumerate(self._cores):
            for use in core.uses():
                yield use._replace(near=number * self._addresses + use.near)
