"""The sidecar as a role of the crew: the same relay, with the balancer as its only destination.

What it adds to the plain relay happens only where a connection fails. A balancer that cannot serve
a client resets the connection that the sidecar has to it, and the sidecar passes the reset on. The
balancer's record of it names the sidecar's address and port, so the sidecar writes down whose
connection that was.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Final

from simulator.balancing.load import Load
from simulator.balancing.policies.round_robin import RoundRobin
from simulator.clock import monotonic_ns
from simulator.kernel.sockets import open_listener
from simulator.live.balancers.own import RelayWorker
from simulator.live.pairs import UPSTREAM
from simulator.live.relay import Relay
from simulator.live.relay_log import RelayLog, RelaySettings
from simulator.live.sources import source_dialer
from simulator.records import CUT_COLUMNS, Hop

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.channel import Message
    from simulator.live.dialer import Dialer
    from simulator.live.settings import SidecarRole

#: The number by which a sidecar knows the balancer; it is told of no backends.
BALANCER: Final = 0
_cut_row: Final = Struct(f"<{len(CUT_COLUMNS)}q").pack


class SidecarLog(RelayLog):
    """A relay's log whose refusals speak of the sidecar's hop, and which knows of cuts."""

    def __init__(self) -> None:
        super().__init__()
        self._cuts = bytearray()

    def refused(
        self, moments: tuple[int, int], client: tuple[str, int], failure: tuple[int, int, int, int]
    ) -> None:
        """A client that the balancer could not be had for (`RelayLog.refused`)."""
        call, error, _, _ = failure
        super().refused(moments, client, (call, error, Hop.SIDECAR_BALANCER, -1))

    def cut(self, moments: tuple[int, int], client: tuple[str, int], near: tuple[str, int]) -> None:
        """A connection that the balancer reset.

        Args:
            moments: when the sidecar met it and when it had accepted the client, ns since t0.
            client: its address and port.
            near: the sidecar's own address and port toward the balancer.
        """
        ends = (int(IPv4Address(client[0])), client[1], int(IPv4Address(near[0])), near[1])
        self._cuts.extend(_cut_row(*moments, *ends))

    def take_cuts(self) -> bytes:
        """Rows of CUT_COLUMNS since the last call."""
        rows, self._cuts = self._cuts, bytearray()
        return bytes(rows)


class SidecarRelay(Relay):
    """A relay that writes down which of its connections were reset by the balancer."""

    __slots__ = ("_cut_log",)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        dialer: Dialer,
        settings: RelaySettings,
    ) -> None:
        super().__init__(loop, listener, dialer, RoundRobin(), Load(), settings)
        self._log = self._cut_log = SidecarLog()

    def take_cuts(self) -> bytes:
        """Rows of CUT_COLUMNS since the last call."""
        return self._cut_log.take_cuts()

    def _on_reset(self, fd: int) -> None:
        if self._flags[fd] & UPSTREAM:
            client = self._peer[fd]
            address, port = self._dialer.sockets[fd].getsockname()
            self._cut_log.cut(
                (monotonic_ns() - self.t0_ns, self._accepted_ns[client] - self.t0_ns),
                self._client_address(client),
                (address, port),
            )
        super()._on_reset(fd)


class Sidecar(RelayWorker):
    """One worker of the sidecar."""

    kind = "sidecar"
    streams = ("sidecar-dials", "sidecar-refusals")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: SidecarRole,
    ) -> None:
        relay = SidecarRelay(
            loop,
            open_listener(
                *settings.front, backlog=settings.backlog, reuse_port=settings.reuse_port
            ),
            source_dialer(settings.source, "sidecar-ports", index),
            RelaySettings(
                connect_timeout_ns=settings.connect_timeout_ns,
                idle_timeout_ns=settings.idle_timeout_ns,
                retries=0,
            ),
        )
        relay.insert(BALANCER, *settings.upstream)
        self._cuts = relay.take_cuts
        super().__init__(loop, sock, index, relay)

    def on_message(self, head: Message) -> None:
        """Nothing is told to a sidecar: its only destination stays where it is."""

    def on_tick(self) -> None:
        """Hand over what was recorded since the last tick."""
        super().on_tick()
        cuts = self._cuts()
        if cuts:
            self.channel.send({"is": "sidecar-cuts"}, cuts)
