"""The tuples of one hop: which are free, open, or closed and still waiting.

A group is what competes for the same ports: one source address toward one destination or, with
early bind and with permanent ports, one source address toward all. Within a group every closed
connection waits equally long, so those that wait stand in order of time by themselves, and nobody
needs to be woken: whoever asks for a port first takes back what is free by then.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, ClassVar, Final

from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.ports.selection.free_list import NO_PORT_LEFT
from simulator.records import WALK_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.ports.selection.free_list import FreePorts

_walk_row: Final = Struct(f"<{len(WALK_COLUMNS)}q").pack
#: Of a group whose destination does not matter.
ANY: Final = -1


class Group:
    """The tuples of one source address toward one destination.

    Attributes:
        source: index of the source address.
        destination: number of the endpoint, ANY where a port serves one connection whatever it is.
        free: its free ports, without those that wait.
        open: connections open now.
        opened: their ports.
        kept: how many ports of ended connections are never given back.
        kept_ports: which.
        waiting: (moment of release in ns, port) of those in TIME_WAIT, in order.
    """

    __slots__ = (
        "_blocked_ns",
        "_far",
        "_lingering",
        "destination",
        "free",
        "kept",
        "kept_ports",
        "open",
        "opened",
        "source",
        "waiting",
    )

    def __init__(
        self,
        source: int,
        destination: int,
        free: FreePorts,
        blocked_ns: int | None,
    ) -> None:
        self.source = source
        self.destination = destination
        self.open = 0
        self.opened: set[int] = set()
        self.kept = 0
        self.kept_ports: list[int] = []
        self.waiting: deque[tuple[int, int]] = deque()
        self.free = free
        self._blocked_ns = blocked_ns  # None: a port is never given back
        # port -> when the kernel forgets its TIME_WAIT: ours once it may be taken over again, and
        # that of the accepting end. A new connection from the port replaces either.
        self._lingering: dict[int, int] = {}
        self._far: dict[int, int] = {}

    def _release(self, now_ns: int) -> None:
        """Take back the ports that have waited long enough."""
        waiting = self.waiting
        while waiting and waiting[0][0] <= now_ns:
            self._released(*waiting.popleft())

    def take(self, now_ns: int) -> int:
        """A free port, or NO_PORT_LEFT."""
        waiting = self.waiting
        if waiting and waiting[0][0] <= now_ns:
            self._release(now_ns)
        port = self.free.take()
        if port:
            self.open += 1
            self.opened.add(port)
            if self._lingering:
                self._lingering.pop(port, None)
            if self._far:
                self._far.pop(port, None)
        return port

    def _released(self, at_ns: int, port: int) -> None:
        assert self._blocked_ns is not None
        self.free.give_back(port)
        self._lingering[port] = at_ns - self._blocked_ns + KERNEL_TIME_WAIT_NS

    def end(self, port: int, now_ns: int, *, waits: bool, far_waits: bool = False) -> None:
        """A connection has ended.

        Args:
            port: its port.
            now_ns: when.
            waits: whether this end closed first, and so keeps the tuple in TIME_WAIT.
            far_waits: whether the accepting end did.
        """
        self.open -= 1
        self.opened.discard(port)
        blocked = self._blocked_ns
        if blocked is None:
            self.kept += 1
            self.kept_ports.append(port)
        elif waits and blocked:
            self.waiting.append((now_ns + blocked, port))
        else:
            self.free.give_back(port)
            if waits:
                self._lingering[port] = now_ns + KERNEL_TIME_WAIT_NS
        if far_waits:
            self._far[port] = now_ns + KERNEL_TIME_WAIT_NS

    def settle(self, now_ns: int) -> None:
        """Give back what is free by now, and forget what the kernel has forgotten."""
        self._release(now_ns)
        for kept in (self._lingering, self._far):
            while kept:
                port = next(iter(kept))  # the oldest: whoever comes again is put in anew
                if kept[port] > now_ns:
                    break
                del kept[port]

    @property
    def recyclable(self) -> int:
        """Tuples in TIME_WAIT that the next connection may take over; right after `settle`."""
        return len(self._lingering)

    @property
    def far_waiting(self) -> int:
        """TIME_WAITs of accepting ends; right after `settle`."""
        return len(self._far)

    @property
    def in_use(self) -> int:
        """Tuples that the next connection cannot have; right after `settle`."""
        return self.open + len(self.waiting) + self.kept


class EachOnce:
    """The ports of `permanent`: each is handed out once and never again; a `FreePorts`."""

    __slots__ = ("_next", "_ports")

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._next = 0

    def take(self) -> int:
        """The next port that nobody ever had, or NO_PORT_LEFT."""
        if self._next >= len(self._ports):
            return NO_PORT_LEFT
        self._next += 1
        return self._ports[self._next - 1]

    def give_back(self, port: int) -> None:
        """It stays with whom it was given to."""

    def __len__(self) -> int:
        return len(self._ports) - self._next


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one competing group holds at a moment, summed over the workers that share it."""

    source: int
    destination: int
    open: int
    waiting: int
    kept: int

    @property
    def in_use(self) -> int:
        """All that the next connection cannot have."""
        return self.open + self.waiting + self.kept


class HopTuples:
    """All groups of one hop.

    Args:
        hop: which one (`records.Hop`).

    Attributes:
        groups: every group that was ever asked for a port.
    """

    #: Whether each group knows which ports its tuples have.
    tells_ports: ClassVar[bool] = True

    def __init__(self, hop: int = 0) -> None:
        self.groups: list[Group] = []
        self._hop = hop
        self._walks: list[tuple[int, int, int, int, int, int, int]] = []

    def note(
        self, t_ns: int, source: int, destination: int, in_use: int, port: int, probes: int
    ) -> None:
        """A port was looked for; `in_use` of its group's tuples could not be had before."""
        self._walks.append((t_ns, self._hop, source, destination, in_use, port, probes))

    def take_walks(self) -> bytes:
        """Rows of WALK_COLUMNS since the last call."""
        rows = b"".join(_walk_row(*walk) for walk in self._walks)
        self._walks.clear()
        return rows

    def settle(self, now_ns: int) -> None:
        """Bring every group to a moment."""
        for group in self.groups:
            group.settle(now_ns)

    def counted(self) -> Iterator[Counted]:
        """Groups as they compete; right after `settle`."""
        found: dict[tuple[int, int], list[int]] = {}
        for group in self.groups:
            counts = found.setdefault((group.source, group.destination), [0, 0, 0])
            counts[0] += group.open
            counts[1] += len(group.waiting)
            counts[2] += group.kept
        for (source, destination), (opened, waiting, kept) in found.items():
            yield Counted(
                source=source, destination=destination, open=opened, waiting=waiting, kept=kept
            )
