"""Linux masquerade: the port is kept or searched for, and every flow takes a row of one table.

The search makes 248 tries at most (`ports.selection.netfilter`), so that it fails before the last
port is taken. The table of connection tracking has `nf_conntrack_max` rows for all destinations
together; an ended flow keeps its row, and with it its port, for the time-out of its last state:
120 s of TIME_WAIT after FIN, 10 s of CLOSE after RST. A client that comes again from the same port
to the same place finds the row still there, and gets the same port.

Not here: eviction. The kernel may drop rows that were never answered when the table is full, and
may let a new flow take over a row in TIME_WAIT in the last tries of its search.

Sources: net/netfilter/nf_nat_core.c; nf_conntrack_proto_tcp.c; nf_conntrack-sysctl.rst.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from simulator.ports.nat.flow import Flow, Grant, Shortage, Use
from simulator.ports.selection.netfilter import NatPorts
from simulator.ports.selection.selector import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.ports.nat.rule import NatRule


class Masquerade:
    """A Linux box with one table; a host always has the same of several addresses.

    Args:
        rule: its numbers.
        seed: of its draws.

    Attributes:
        rows: flows in the table, ended ones that still rest included.
    """

    def __init__(self, rule: NatRule, seed: int) -> None:
        self.shortage = Shortage.PORTS
        self.asks = 0
        self.rows = 0
        self._rule = rule
        self._selector = NatPorts(rule.ports, seed, preserve=rule.keep_port)
        self._taken: dict[tuple[int, int], set[int]] = {}
        self._open: dict[tuple[int, int], int] = {}
        # Ended flows that still have their row, and when each is forgotten: a flow that has come
        # back meanwhile has another moment, or none, in the dict.
        self._resting: dict[Flow, tuple[int, Grant]] = {}
        self._ends: list[tuple[int, Flow]] = []

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """The row that is still there, or a new one with a port that the search finds."""
        self.settle(now_ns)
        back = self._resting.pop(flow, None)
        if back is not None:
            grant = back[1]
            self._open[grant.address, flow.destination] += 1
            return grant
        rule = self._rule
        if rule.table is not None and self.rows >= rule.table:
            self.shortage = Shortage.TABLE
            return None
        address = flow.host % rule.addresses
        taken = self._taken.setdefault((address, flow.destination), set())
        asked = Asked(flow.destination, wanted=flow.port)
        port = self._selector.pick(asked, taken).port
        if not port:
            self.shortage = Shortage.PORTS
            return None
        taken.add(port)
        self.rows += 1
        key = (address, flow.destination)
        self._open[key] = self._open.get(key, 0) + 1
        return Grant(address, port)

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """The row stays for a time-out."""
        self._open[grant.address, flow.destination] -= 1
        ends_ns = now_ns + self._rule.rest_ns(reset=reset)
        self._resting[flow] = (ends_ns, grant)
        heappush(self._ends, (ends_ns, flow))

    def settle(self, now_ns: int) -> None:
        """Forget rows whose time is over."""
        ends = self._ends
        while ends and ends[0][0] <= now_ns:
            ends_ns, flow = heappop(ends)
            found = self._resting.get(flow)
            if found is None or found[0] != ends_ns:
                continue
            del self._resting[flow]
            grant = found[1]
            self._taken[grant.address, flow.destination].discard(grant.port)
            self.rows -= 1

    def uses(self) -> Iterator[Use]:
        """By address and destination."""
        for (address, destination), taken in self._taken.items():
            opened = self._open.get((address, destination), 0)
            yield Use(address, destination, opened, len(taken) - opened)
