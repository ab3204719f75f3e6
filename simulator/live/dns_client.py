"""Stub clients: each planned row is one question by UDP from a port of its own.

What is due when, and what is written down of it, stays with `client.py`. A datagram under another
ID or for another name belongs to an earlier question from the same port: it is passed over and
counted. An answer with the name's own address is right; everything else fails by what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.dns.message import (
    NO_ERROR,
    NO_SUCH_NAME,
    UDP_BYTES,
    Malformed,
    Message,
    decode,
    encode,
)
from simulator.dns.zone import is_forged, is_true, name_of
from simulator.live.client import WAITING
from simulator.live.exchange import ExchangeClient
from simulator.live.turns import TurnsClient
from simulator.records import Call, Ending

if TYPE_CHECKING:
    from simulator.live.channel import Message as Words

#: An odd number: neighbours in the plan have IDs far apart, and no two of 65,536 the same.
_STRIDE: Final = 40_503


def ident_of(row: int) -> int:
    """The ID of a row's question."""
    return row * _STRIDE & 0xFFFF


class DnsClient(ExchangeClient):
    """One generator process of questions."""

    strays = 0

    def _request(self, entry: list[int]) -> bytes:
        row, _, _, begun = entry
        plan = self._plan
        service_ns = plan["service_ns"][plan["first_service"][row] + begun]
        entry[2] = 1  # something is missing until the answer is here
        question = Message(
            ident=ident_of(row),
            name=name_of(row % self._settings.names),
            udp_bytes=UDP_BYTES,
            order=(service_ns, plan["response_bytes"][row]),
        )
        return encode(question)

    def _received(self, fd: int, entry: list[int], data: bytes) -> None:
        row, state, _, _ = entry
        index = row % self._settings.names
        try:
            message = decode(data)
        except Malformed:
            self._fail(fd, entry, Call.RECV, Ending.PROTOCOL)
            return
        is_ours = message.ident == ident_of(row) and message.asks_like(name_of(index))
        if state != WAITING or not is_ours:
            self.strays += 1
            return
        self._note_first_byte(row)
        wrong = _what_is_wrong(index, message)
        if wrong:
            self._fail(fd, entry, Call.RECV, wrong)
            return
        entry[2] = 0
        self._note_answer(entry)
        self._answered(fd, entry)

    def counters(self) -> Words:
        """Cumulative counters of this generator."""
        return {**super().counters(), "strays": self.strays}


def _what_is_wrong(index: int, message: Message) -> int:
    """Why an answer to a client's question is none, as an Ending; 0 = it is right."""
    if not message.is_answer:
        return Ending.PROTOCOL
    if message.truncated:
        return Ending.TRUNCATED
    if message.rcode == NO_SUCH_NAME:
        return Ending.NXDOMAIN
    if message.rcode != NO_ERROR:
        return Ending.SERVFAIL
    if is_forged(message):
        return Ending.FORGED
    return 0 if is_true(index, message) else Ending.PROTOCOL


class DnsTurnsClient(DnsClient, TurnsClient):
    """The same where rows wait for each other."""
