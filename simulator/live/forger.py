"""A forger as a role of the crew: bounded answers in the servers' name, each a guess.

It sees nothing of the questions. It knows the name that is asked for, the servers' addresses and
the ports that the question may come from, and walks through ports and IDs at a steady rate. It can
reach nobody but the resolver: its packets are built for that one address, in a namespace whose only
link is loopback, and both their rate and their number are capped by the scenario's grammar.

Source: RFC 5452, section 4 (what has to be guessed).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.dns.guesses import Guesses
from simulator.dns.message import Message, encode, with_ident
from simulator.dns.zone import FORGED_ADDRESS, name_of
from simulator.kernel.datagrams import udp_packet
from simulator.live.role import Role
from simulator.records import error_name
from simulator.seeds import pure_random

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.channel import Message as Words
    from simulator.live.dns_settings import ForgerRole

_STEP_S: Final = 0.001
#: Packets in a row, so that one that was held up does not come as a flood.
_BURST: Final = 100
_NS_PER_S: Final = 1_000_000_000


class Forger(Role):
    """The forger.

    Args:
        loop: the event loop it lives in.
        sock: its channel to the conductor.
        index: which one it is; there is one.
        settings: what it is told.
        raw: a socket that sends whole packets.
    """

    kind = "forger"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: ForgerRole,
        raw: socket.socket,
    ) -> None:
        super().__init__(loop, sock, index)
        self._settings = settings
        self._raw = raw
        self._ports: list[int] = []
        self._servers: list[tuple[str, int]] = []
        self._victim = ""
        self._guesses: Guesses | None = None
        self._step: asyncio.TimerHandle | None = None
        self._last_ns = 0
        self._owed = 0.0
        lie = Message(ident=0, name=name_of(0), is_answer=True, addresses=(FORGED_ADDRESS,))
        self._lie = encode(lie)
        self.packets = 0
        self.errors: Counter[int] = Counter()

    def on_message(self, head: Words) -> None:
        """Whom it shall deceive, in whose name, and from which ports he asks."""
        if head.get("do") != "aim":
            return
        settings = self._settings
        told = [int(port) for port in head["ports"]]
        self._ports = list(range(settings.first, settings.last + 1)) if settings.first else told
        self._servers = [(str(address), int(port)) for address, port in head["servers"]]
        self._victim = str(head["victim"])
        self._guesses = Guesses(
            len(self._servers),
            len(self._ports),
            settings.idents,
            pure_random(settings.seed, "guesses"),
        )
        self.channel.send({"is": "members", "count": len(self._servers)})

    def on_start(self) -> None:
        """The first packet is due from now on."""
        self._last_ns = self.t0_ns
        self._later()

    def on_stop(self) -> None:
        """No more."""
        if self._step is not None:
            self._step.cancel()

    def on_quit(self) -> Words:
        """Let go of the socket."""
        self.on_stop()
        self._raw.close()
        return {}

    def counters(self) -> Words:
        """Cumulative counters."""
        return {
            "packets": self.packets,
            "errors": {error_name(code): number for code, number in self.errors.items()},
            "fds": 1,
        }

    def _later(self) -> None:
        self._step = self.loop.call_later(_STEP_S, self._send_due)

    def _send_due(self) -> None:
        settings = self._settings
        now = max(monotonic_ns(), self.t0_ns)
        self._owed += settings.rate_per_s * (now - self._last_ns) / _NS_PER_S
        self._owed = min(self._owed, _BURST)
        self._last_ns = now
        while self._owed >= 1 and self.packets < settings.packets:
            self._owed -= 1
            self._send()
        if self.packets < settings.packets and now - self.t0_ns < settings.until_ns:
            self._later()

    def _send(self) -> None:
        assert self._guesses is not None, "aimed before the start"
        guess = self._guesses.draw()
        target = (self._victim, self._ports[guess.port])
        packet = udp_packet(self._servers[guess.server], target, with_ident(self._lie, guess.ident))
        try:
            self._raw.sendto(packet, (self._victim, 0))
        except OSError as failure:
            self.errors[failure.errno or 0] += 1
        self.packets += 1
