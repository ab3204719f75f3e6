"""A NAT of the model: every connection toward the backends takes a place of it too, or fails.

The rules are those of `ports/nat`. A connection for which the NAT has nothing fails at once; what
a real client does next, to send its SYN again after a second and longer, is what `clients.retry`
says. A connection that both sides closed is an end by FIN, everything else one by RST.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from simulator.model.dialer import Dialer
from simulator.model.tuples import Counted, HopTuples
from simulator.ports.nat.flow import Flow, Shortage
from simulator.ports.nat.presets import make_nat
from simulator.records import Call, Ending
from simulator.scenario.nat import nat_hosts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.model.connection import Taken
    from simulator.ports.nat.flow import Grant
    from simulator.ports.nat.rule import NatRule
    from simulator.scenario.nat import Nat
    from simulator.scenario.schema import Scenario

_ALLOCATE: Final = int(Call.ALLOCATE)
_ENDING: Final = {
    Shortage.PORTS: int(Ending.NAT_PORTS),
    Shortage.POOL: int(Ending.NAT_POOL),
    Shortage.TABLE: int(Ending.NAT_TABLE),
}


class NatTuples(HopTuples):
    """The tuples behind a NAT.

    Args:
        scenario: whose.
        nat: its part of the scenario.

    Attributes:
        flows: connections that found a place.
        refused: those that did not, by shortage.
    """

    tells_ports: ClassVar[bool] = False  # its places are counted, and none has a number

    def __init__(self, scenario: Scenario, nat: Nat) -> None:
        super().__init__()
        self.flows = 0
        self.refused: Counter[Shortage] = Counter()
        self._nat = make_nat(nat.rule, nat_hosts(scenario), scenario.seed)
        self._places: set[Grant] = set()

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """A place for a connection; None when there is none."""
        grant = self._nat.take(flow, now_ns)
        if grant is None:
            self.refused[self._nat.shortage] += 1
            return None
        self.flows += 1
        self._places.add(grant)
        return grant

    @property
    def failure(self) -> tuple[int, int]:
        """Call and error of a connection that found no place just now."""
        return _ALLOCATE, _ENDING[self._nat.shortage]

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """A connection has ended."""
        self._nat.give_back(flow, grant, now_ns, reset=reset)

    def settle(self, now_ns: int) -> None:
        """Bring the NAT to a moment."""
        self._nat.settle(now_ns)

    def counted(self) -> Iterator[Counted]:
        """Places as they compete; right after `settle`."""
        for use in self._nat.uses():
            yield Counted(
                source=use.near,
                destination=use.destination,
                open=use.open,
                waiting=use.resting,
                kept=0,
            )

    def told(self) -> dict[str, Any]:
        """What the run's events say of it in the end."""
        refused = {str(why): self.refused[why] for why in Shortage}
        asks, places = self._nat.asks, len(self._places)
        return {"event": "nat", "flows": self.flows, "asks": asks, "places": places, **refused}


class Translated:
    """A tuple behind the NAT with its place before it; both are given up together."""

    __slots__ = ("_flow", "_grant", "_inner", "_tuples", "source")

    def __init__(self, inner: Taken, tuples: NatTuples, flow: Flow, grant: Grant) -> None:
        self.source = inner.source
        self._inner = inner
        self._tuples = tuples
        self._flow = flow
        self._grant = grant

    def end(self, port: int, now_ns: int, *, waits: bool, far_waits: bool = False) -> None:
        """The connection has ended (`tuples.Group.end`)."""
        self._inner.end(port, now_ns, waits=waits, far_waits=far_waits)
        reset = not (waits or far_waits)
        self._tuples.give_back(self._flow, self._grant, now_ns, reset=reset)


class NatDialer(Dialer):
    """A dialer whose connections pass a NAT; each source address is one of its hosts.

    Args:
        behind: the tuples behind the NAT, shared by all who dial.
        parts: what `Dialer` takes.
    """

    def __init__(self, behind: NatTuples, *parts: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*parts)
        self._behind = behind
        self._own_no_port = self.no_port

    def dial(self, destination: int, now_ns: int) -> Taken | None:
        """Take a port, and a place of the NAT; None when there is none of either."""
        inner = super().dial(destination, now_ns)
        if inner is None:
            self.no_port = self._own_no_port
            return None
        flow = Flow(self.last_source, destination, self.last_port)
        grant = self._behind.take(flow, now_ns)
        if grant is None:
            inner.end(self.last_port, now_ns, waits=False)
            self.no_port = self._behind.failure
            return None
        return Translated(inner, self._behind, flow, grant)


def names_of(rule: NatRule, hosts: Sequence[str], near: int) -> tuple[str, ...]:
    """What the parts of a NAT that share no port are called.

    Args:
        rule: its numbers.
        hosts: source addresses of those hosts that dial.
        near: how many parts there are.
    """
    if rule.kind in ("preallocated", "lent"):
        return tuple(f"host {hosts[at] if at < len(hosts) else at + 1}" for at in range(near))
    if rule.kind == "full-nat":
        cores = range(near // rule.addresses)
        return tuple(
            f"core {core + 1} of address {at + 1}" for core in cores for at in range(rule.addresses)
        )
    return tuple(f"address {at + 1}" for at in range(near))
