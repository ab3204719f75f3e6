"""The own balancer as a role of the crew: one relay worker, and what it tells the conductor."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from simulator.balancing.policies.select import select_load, select_policy
from simulator.clock import monotonic_ns
from simulator.kernel.sockets import open_listener
from simulator.live.ejecting import EjectingRelay
from simulator.live.governed import GovernedRelay
from simulator.live.relay import Relay
from simulator.live.relay_log import RelaySettings
from simulator.live.role import Role
from simulator.live.sources import source_dialer
from simulator.records import Call, error_name
from simulator.seeds import pure_random

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.channel import Message
    from simulator.live.settings import BalancerRole


def data_path(settings: BalancerRole) -> type[Relay]:
    """The plain relay, or the one whose hot loop is compiled (importing it compiles it)."""
    if not settings.compiled:
        return Relay
    from simulator.live.compiled.relay import CompiledRelay

    return CompiledRelay


def build_relay(loop: asyncio.AbstractEventLoop, settings: BalancerRole, index: int) -> Relay:
    """The relay of one worker: a plain one unless the scenario asks for more.

    Raises:
        OSError: the front port cannot be had.
    """
    generator = pure_random(settings.seed, "picks", index)
    policy = select_policy(
        settings.policy, settings.choices, generator, start=index, options=settings.options
    )
    load = select_load(settings.policy, settings.options, monotonic_ns)
    relay = RelaySettings(
        buffer_bytes=settings.buffer_bytes,
        connect_timeout_ns=settings.connect_timeout_ns,
        idle_timeout_ns=settings.idle_timeout_ns,
        retries=settings.retries,
        half_close=settings.half_close,
    )
    listener = open_listener(
        *settings.front, backlog=settings.backlog, reuse_port=settings.reuse_port
    )
    dialer = source_dialer(settings.source, "balancer-ports", index)
    if not (settings.key or settings.care.is_needed or settings.policy == "peak-ewma"):
        return data_path(settings)(loop, listener, dialer, policy, load, relay)
    kind = EjectingRelay if settings.care.eject_silence_ns else GovernedRelay
    return kind(
        loop,
        listener,
        dialer,
        policy,
        load,
        relay,
        care=settings.care,
        generator=pure_random(settings.seed, "slow-start", index),
        key=settings.key,
    )


class RelayWorker(Role):
    """One worker of a relay.

    Args:
        loop: the event loop it lives in.
        sock: its channel to the conductor.
        index: which worker it is.
        relay: what it runs; the worker closes it.
    """

    #: Names of its streams: of what it dialed, and of whom it refused.
    streams = ("dials", "refusals")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, index: int, relay: Relay
    ) -> None:
        super().__init__(loop, sock, index)
        self._relay = relay

    async def prepare(self) -> Message:
        """Accept from now on; nobody connects before the start."""
        self._relay.start()
        return {}

    def on_start(self) -> None:
        """Moments in the records count from the start."""
        self._relay.t0_ns = self.t0_ns

    def on_message(self, head: Message) -> None:
        """Backends came or went."""
        if head.get("do") == "membership":
            for backend_id, address, port in head["insert"]:
                self._relay.insert(backend_id, address, port)
            for backend_id in head["remove"]:
                self._relay.remove(backend_id)
            if "change" in head:
                at_ns = monotonic_ns() - self.t0_ns
                self.channel.send({"is": "changed", "change": head["change"], "t_ns": at_ns})
            else:
                self.channel.send({"is": "members", "count": len(head["insert"])})

    def on_tick(self) -> None:
        """Hand over what was recorded since the last tick."""
        rows_of_each = (self._relay.take_dials(), self._relay.take_refusals())
        for stream, rows in zip(self.streams, rows_of_each, strict=True):
            if rows:
                self.channel.send({"is": stream}, rows)

    def on_quit(self) -> Message:
        """Close everything; what is still open is cut."""
        active = self._relay.statistics().active
        self._relay.close()
        self.on_tick()  # what closing has cut short is recorded too
        return {"active": active}

    def counters(self) -> Message:
        """Cumulative counters of this worker."""
        now = self._relay.statistics()
        care = self._relay.care_statistics() if isinstance(self._relay, GovernedRelay) else None
        return {
            "accepted": now.accepted,
            "active": now.active,
            "dialed": now.dialed,
            "dial_errors": {
                f"{Call(call).name.lower()}/{error_name(code)}": number
                for (call, code), number in now.dial_errors.items()
            },
            "retries": now.retries,
            "refused": now.refused,
            "idle_closed": now.idle_closed,
            "connect_timeouts": now.connect_timeouts,
            "accept_errors": {error_name(code): n for code, n in now.accept_errors.items()},
            "bytes_up": now.bytes_up,
            "bytes_down": now.bytes_down,
            "buffered_bytes": now.buffered_bytes,
            "picks": {str(backend): number for backend, number in now.picks.items()},
            "fds": 2 * now.active,
            **({} if care is None else {"care": asdict(care)}),
        }


class OwnBalancer(RelayWorker):
    """One worker of the balancer."""

    kind = "balancer"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: BalancerRole,
    ) -> None:
        super().__init__(loop, sock, index, build_relay(loop, settings, index))
