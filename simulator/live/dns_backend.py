"""Authoritative DNS servers over UDP, each on a port that it bound itself and keeps.

What a server is asked it notes down before it answers, with the port and ID that the question came
with: what somebody on the path would see. How long it takes and how much it answers stands in the
question's order, so that the plan decides that and not the server. An answer longer than the asker
takes comes truncated, and nobody here asks again by TCP.
"""

from __future__ import annotations

import select
from heapq import heappush
from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.dns.message import (
    NO_ERROR,
    NO_SUCH_NAME,
    SERVER_FAILURE,
    Malformed,
    Message,
    decode,
    encode,
)
from simulator.dns.zone import index_of, true_addresses
from simulator.live.backend import BackendServers
from simulator.live.port_holder import find_datagram_holder
from simulator.records import QUESTION_COLUMNS
from simulator.seeds import pure_random

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.channel import Message as Words
    from simulator.live.settings import BackendRole
    from simulator.live.shared_ports import Share

_READS: Final = 128
_DATAGRAM_BYTES: Final = 4096
#: What may be sent to somebody who says nothing of his size. Source: RFC 1035, section 2.3.4.
_PLAIN_BYTES: Final = 512
_TTL_S: Final = 60
_question_row: Final = Struct(f"<{len(QUESTION_COLUMNS)}q").pack


class DnsServers(BackendServers):
    """The authoritative servers of one process."""

    is_special = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: BackendRole,
        share: Share | None = None,
    ) -> None:
        super().__init__(loop, sock, index, settings, share)
        self._waiting: dict[int, tuple[int, tuple[str, int], Message]] = {}  # by serial
        self._questions = bytearray()
        self._chance = pure_random(settings.seed, "dns-faults", index)

    def _listen(self, listener: socket.socket, backend: int) -> None:
        self._listeners[listener.fileno()] = (listener, backend)
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def _accept(self, descriptor: int) -> None:
        """Take in what has come to one server."""
        listener, backend = self._listeners[descriptor]
        for _ in range(_READS):
            try:
                data, peer = listener.recvfrom(_DATAGRAM_BYTES)
            except OSError:
                return
            self._asked(backend, peer, data)

    def _asked(self, backend: int, peer: tuple[str, int], data: bytes) -> None:
        try:
            message = decode(data)
        except Malformed:
            self.dropped += 1
            return
        if message.is_answer:
            self.dropped += 1
            return
        self.accepted += 1
        now = monotonic_ns()
        self._questions += _question_row(
            *(now - self.t0_ns, backend, int(IPv4Address(peer[0])), peer[1], message.ident)
        )
        self._serial += 1
        self._waiting[self._serial] = (backend, peer, message)
        service_ns = message.order[0] if message.order is not None else 0
        if backend in self._settings.slow:
            service_ns = round(service_ns * self._settings.slow_factor)
        if service_ns:
            heappush(self._due, (now + service_ns, self._serial, -1))
            self._arm()
        else:
            self._service_due(self._serial, -1)

    def _service_due(self, serial: int, descriptor: int) -> None:
        """A question's time is over: answer it, unless its server is gone."""
        backend, peer, message = self._waiting.pop(serial, (-1, ("", 0), None))
        if message is None or backend not in self._holding:
            return
        try:
            self._holding[backend].sendto(self._answer_to(message), peer)
        except OSError:
            self.dropped += 1
            return
        self.answered += 1

    def _answer_to(self, question: Message) -> bytes:
        index = index_of(question.name)
        rcode = NO_ERROR
        addresses: tuple[int, ...] = ()
        if self._settings.error_rate and self._chance.random() < self._settings.error_rate:
            rcode = SERVER_FAILURE
        elif index is None or index < self._settings.missing:
            rcode = NO_SUCH_NAME
        else:
            addresses = true_addresses(index, question.order[1] if question.order else 0)
        answer = Message(
            ident=question.ident,
            name=question.name,
            is_answer=True,
            rcode=rcode,
            addresses=addresses,
            ttl_s=_TTL_S if addresses else 0,
        )
        data = encode(answer)
        if len(data) <= max(_PLAIN_BYTES, question.udp_bytes):
            return data
        cut = Message(ident=question.ident, name=question.name, is_answer=True, truncated=True)
        return encode(cut)

    # Coming and going.

    def _leave(self, backend: int, how: str) -> Words:
        """Let a server go: a drained one answers what it has at once, others answer nothing."""
        mine = [serial for serial, (whose, _, _) in self._waiting.items() if whose == backend]
        if how == "drain":
            for serial in mine:
                self._service_due(serial, -1)
        head = super()._leave(backend, how)
        return {**head, "open": 0 if how == "drain" else len(mine)}

    def _silenced(self, backend: int) -> None:
        """Forget what a server was asked that crashed or hangs."""
        self._waiting = {s: one for s, one in self._waiting.items() if one[0] != backend}

    def _held_by(self, backend: int) -> Words:
        """Who has the UDP port of a server that can have no other."""
        return self._held_as(backend, find_datagram_holder)

    def on_tick(self) -> None:
        """Hand over what was seen since the last tick."""
        if self._questions:
            self.channel.send({"is": "questions"}, bytes(self._questions))
            self._questions.clear()
