"""One connection of the model: what its client, its relay and its backend know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from simulator.model.backends import Backend
    from simulator.model.relay import Relay
    from simulator.model.sidecar import Sidecar

WAITING: Final = 1  # for an answer
RESTING: Final = 2  # until the next request, or the end of its lifetime
LEAVING: Final = 3  # answered; the other side is to close
HALF_CLOSED: Final = 4  # its client closed, and a backend that hangs never will
GONE: Final = 5


class Taken(Protocol):
    """What a dial took, to be given up at the connection's end."""

    source: int

    def end(self, port: int, now_ns: int, *, waits: bool, far_waits: bool = False) -> None:
        """The connection has ended (`tuples.Group.end`)."""
        ...


class Connection:
    """From connect to close.

    Attributes:
        row: in the plan.
        worker: which generator process has it.
        state: one of this file's states.
        stamp: counts what happened; an event that carries an older one comes too late.
        begun: requests begun.
        active_ns: when bytes last moved.
        wants_ns: when its client began to wait for the answer under way.
        group, port: its tuple on the client's hop.
        begun_ns: when it was made.
        sidecar: the worker of the sidecar that passed it on; None without one.
        middle, middle_port: its tuple between sidecar and balancer.
        relay: the worker that accepted it; None without a balancer.
        tried: backends that could not be reached for it.
        upstream, upstream_port: its tuple on the balancer's hop; None before it has one.
        meant: the backend it was dialed for, which load counts.
        server: who really has it; None before and after.
        dial: number of the connect under way, 0 when none is.
        asked_ns: when its first request could go to the backend, for policies that learn latency.
        serving: serial of its request at the backend, 0 when none is served.
        chunks: of the answer under way that come after the first, each at its pace.
        status: the first HTTP status that it got and that was a failure, 0 without one.
    """

    __slots__ = (
        "active_ns",
        "asked_ns",
        "begun",
        "begun_ns",
        "chunks",
        "dial",
        "group",
        "meant",
        "middle",
        "middle_port",
        "port",
        "relay",
        "row",
        "server",
        "serving",
        "sidecar",
        "stamp",
        "state",
        "status",
        "tried",
        "upstream",
        "upstream_port",
        "wants_ns",
        "worker",
    )

    def __init__(self, row: int, worker: int, group: Taken, port: int, now_ns: int) -> None:
        self.row = row
        self.worker = worker
        self.state = WAITING
        self.stamp = 0
        self.begun = 0
        self.active_ns = now_ns
        self.wants_ns = now_ns
        self.group = group
        self.port = port
        self.begun_ns = now_ns
        self.sidecar: Sidecar | None = None
        self.middle: Taken | None = None
        self.middle_port = 0
        self.relay: Relay | None = None
        self.tried: list[int] | None = None
        self.upstream: Taken | None = None
        self.upstream_port = 0
        self.meant = -1
        self.server: Backend | None = None
        self.dial = 0
        self.asked_ns = -1
        self.serving = 0
        self.chunks = 0
        self.status = 0
