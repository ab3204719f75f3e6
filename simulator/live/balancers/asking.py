"""Questions that a resolver has open: from which port and ID each went out, and what answers it.

An answer is believed if it comes to the right port with the right ID, from the server that was
asked and for the same question (RFC 5452, section 9.1). Everything else is counted by what was
wrong first.

The laboratory knows a forged answer by the address that it gives. The resolver does not act on
that; it only counts how many came while a question waited for its true answer, which is the F that
the formula of RFC 5452, section 7.2, asks for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.dns.message import HEADER_BYTES, Malformed, Message, decode, peek_ident
from simulator.dns.zone import FORGED_BYTES, is_forged

if TYPE_CHECKING:
    from simulator.dns.message import Name
    from simulator.seeds import Random

Endpoint = tuple[str, int]
_ANSWER_BIT: Final = 0x80


class AllOpen(Exception):
    """Every port and ID has a question open."""


@dataclass(slots=True, eq=False)
class Ask:
    """One stub client's question.

    Attributes:
        client: its address and port.
        data: its question as it came.
        name: what it asks for.
        accepted_ns: when it came, monotonic.
        backend: id of the server that was asked last, -1 = none yet.
        server: that server's address and port.
        key: by which it is open now.
        tries: how often a server was asked.
        forged_before: forged answers that had come when it went out.
    """

    client: Endpoint
    data: bytes
    name: Name
    accepted_ns: int
    backend: int = -1
    server: Endpoint = ("", 0)
    key: int = -1
    tries: int = 0
    forged_before: int = 0


class OpenAsks:
    """Questions on their way, by socket of the pool and ID.

    Args:
        slots: sockets of the pool.
        id_bits: random bits of an ID.
        choice: ``random`` or ``in-turn``, which socket the next one leaves by.
        generator: where sockets and IDs are drawn from.

    Attributes:
        refused: what was wrong with answers that were not believed -> how many.
        forged: forged answers that came.
        forged_believed: how many of them were believed.
        windows: questions that waited until their true answer or their timeout.
        forged_within: forged answers that came while these waited, summed over them.
    """

    def __init__(self, slots: int, id_bits: int, choice: str, generator: Random) -> None:
        self._slots = slots
        self._bits = id_bits
        self._in_turn = choice == "in-turn"
        self._turn = 0
        self._generator = generator
        self._open: dict[int, Ask] = {}
        self.refused: Counter[str] = Counter()
        self.forged = 0
        self.forged_believed = 0
        self.windows = 0
        self.forged_within = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: int) -> bool:
        return key in self._open

    def begin(self, ask: Ask) -> tuple[int, int]:
        """Open a question on a socket and under an ID that no other open one has.

        Returns:
            The socket's index and the ID.

        Raises:
            AllOpen: there is none.
        """
        capacity = self._slots << self._bits
        if len(self._open) >= capacity:
            raise AllOpen
        key = self._next_slot() << self._bits | self._generator.getrandbits(self._bits)
        while key in self._open:
            key = (key + 1) % capacity
        ask.key = key
        ask.forged_before = self.forged
        self._open[key] = ask
        return divmod(key, 1 << self._bits)

    def _next_slot(self) -> int:
        if not self._in_turn:
            return self._generator.randrange(self._slots)
        self._turn = (self._turn + 1) % self._slots
        return self._turn

    def give_up(self, ask: Ask, key: int) -> bool:
        """Close a question that is still open under this key; whether it was."""
        if self._open.get(key) is not ask:
            return False
        self._close(ask)
        return True

    def _close(self, ask: Ask) -> None:
        """A question has had its whole window."""
        del self._open[ask.key]
        self.windows += 1
        self.forged_within += self.forged - ask.forged_before

    def answered(self, slot: int, data: bytes, peer: Endpoint) -> tuple[Ask, Message] | None:
        """The question that a datagram answers, which is closed by it; None = not believed."""
        if data.endswith(FORGED_BYTES):
            self.forged += 1
        found = self._match(slot, data, peer)
        if isinstance(found, str):
            self.refused[found] += 1
            return None
        ask, message = found
        if is_forged(message):
            self.forged_believed += 1
            del self._open[ask.key]
        else:
            self._close(ask)
        return ask, message

    def _match(self, slot: int, data: bytes, peer: Endpoint) -> tuple[Ask, Message] | str:
        """What a datagram answers, or what is wrong with it first."""
        if len(data) < HEADER_BYTES or not data[2] & _ANSWER_BIT:
            return "malformed"
        ident = peek_ident(data)
        ask = self._open.get(slot << self._bits | ident) if not ident >> self._bits else None
        if ask is None:
            return "id"
        if peer != ask.server:
            return "address"
        try:
            message = decode(data)
        except Malformed:
            return "malformed"
        return (ask, message) if message.asks_like(ask.name) else "question"
