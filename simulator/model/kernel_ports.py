"""Source ports as the kernel picks them, with the number of ports it had to look at for each.

The selectors are those of `ports/selection/linux.py`, which tests hold against the running kernel.
A network namespace has one table of counters, so all who dial in a run share one selector for each
range and way of walking. What the kernel draws at random is drawn here from a stream of the model's
own: *which* port comes first is chance, how many are looked at follows from what is busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.ports.selection.busy_ports import BusyPorts
from simulator.ports.selection.linux import EPOCH_S, LinuxBind, LinuxConnect
from simulator.ports.selection.selector import Asked
from simulator.seeds import stream_key
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from simulator.model.agenda import Agenda
    from simulator.model.directory import HeldPorts
    from simulator.ports.range import PortRange
    from simulator.ports.selection.selector import Selector
    from simulator.scenario.schema import Scenario

_EPOCH_NS: Final = EPOCH_S * NS_PER_S


class KernelPorts:
    """The kernel of a run, as far as it picks ports.

    Args:
        scenario: whose.
        agenda: tells the time, by which the kernel changes its secret.
        held: ports of listeners, which are passed over.
    """

    def __init__(self, scenario: Scenario, agenda: Agenda, held: HeldPorts) -> None:
        self._seed = stream_key(scenario.seed, "model", "kernel-ports") >> 65
        self._reserved = frozenset(
            port
            for block in scenario.kernel.reserved_ports
            for port in range(block.first, block.last + 1)
        )
        self._agenda = agenda
        self._held = held
        self._selectors: dict[tuple[str, PortRange], Selector] = {}

    def toward(self, mode: str, ports: PortRange, name: str) -> KernelList:
        """The ports of one source address toward one destination, none of them busy.

        Args:
            mode: of `Source.ports`, one of those where the kernel picks.
            ports: the range.
            name: of both ends, unlike that of any other list.
        """
        stride = 1 if mode == "socket-range" else 2
        busy = BusyPorts(ports, stride, self._reserved)
        return KernelList(self._selector(mode, ports), busy, name, self._agenda, self._held)

    def _selector(self, mode: str, ports: PortRange) -> Selector:
        way = mode if mode in ("early-bind", "socket-range") else "connect"
        found = self._selectors.get((way, ports))
        if found is None:
            if way == "early-bind":
                found = LinuxBind(ports, self._seed)
            else:
                found = LinuxConnect(ports, self._seed, 1 if way == "socket-range" else 2)
            self._selectors[way, ports] = found
        return found


class KernelList:
    """The free ports of one group, as the kernel goes through them; a `FreePorts`.

    Args:
        selector: which one is next.
        busy: which are not free.
        name: of source and destination.
        agenda: tells the time.
        held: ports of listeners.

    Attributes:
        probes: how many ports the last `take` looked at.
    """

    __slots__ = (
        "_agenda",
        "_asked",
        "_busy",
        "_held",
        "_name",
        "_seen",
        "_selector",
        "_until_ns",
        "probes",
    )

    def __init__(
        self, selector: Selector, busy: BusyPorts, name: str, agenda: Agenda, held: HeldPorts
    ) -> None:
        self._selector = selector
        self._busy = busy
        self._name = name
        self._agenda = agenda
        self._held = held
        self._seen = 0  # changes of those who listen
        self._asked = Asked(name)
        self._until_ns = 0
        self.probes = 0

    def take(self) -> int:
        """The port of the next connect, or NO_PORT_LEFT."""
        busy, held = self._busy, self._held
        if held.changes != self._seen:
            self._seen = held.changes
            busy.pass_over(held.ports)
        now_ns = self._agenda.now_ns
        if now_ns >= self._until_ns:  # a new secret; the same wish serves until then
            self._until_ns = (now_ns // _EPOCH_NS + 1) * _EPOCH_NS
            self._asked = Asked(self._name, now_ns / NS_PER_S)
        port, self.probes = self._selector.pick(self._asked, busy)
        if port:
            busy.take(port)
        return port

    def give_back(self, port: int) -> None:
        """Make a port free again."""
        self._busy.give_back(port)

    def __len__(self) -> int:
        return len(self._busy)
