"""DNS messages of one question for an IPv4 address: bytes to values and back, hostile ones too.

Read is what may arrive: names with compression pointers, records nobody asked for, EDNS. Written
is only what this laboratory says. A pointer must lead backwards, so that no name can loop; what
is longer than it says, shorter, or asks for something else is `Malformed`.

Beside the question a query may carry an *order* in an EDNS option for local use: how long the
server shall take and how much it shall answer. The plan decides that, and no server of its own.

Source: RFC 1035 sections 2.3.4 (sizes), 4.1 (format), 4.1.4 (compression) and 4.2.1 (truncation);
RFC 6891 sections 6.1.2 (OPT) and 9 (option codes 65001-65534: local use).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

#: Response codes. Source: RFC 1035, section 4.1.1.
NO_ERROR: Final = 0
SERVER_FAILURE: Final = 2
NO_SUCH_NAME: Final = 3
#: Most bytes of a datagram that its receiver is told not to fear. Source: DNS flag day 2020.
UDP_BYTES: Final = 1232

HEADER_BYTES: Final = 12
_HEADER: Final = Struct(">HHHHHH")
_QUESTION_END: Final = Struct(">HH")
_RECORD: Final = Struct(">HHIH")
_OPTION: Final = Struct(">HH")
_ORDER: Final = Struct(">QI")
_ANSWER: Final = 0x8000
_OPCODE: Final = 0x7800
_TRUNCATED: Final = 0x0200
_RECURSION_DESIRED: Final = 0x0100
_TYPE_A: Final = 1
_TYPE_OPT: Final = 41
_CLASS_IN: Final = 1
_ORDER_OPTION: Final = 65001
_POINTER: Final = 0xC0
_TO_THE_QUESTION: Final = b"\xc0\x0c"
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 255

Name = tuple[bytes, ...]


class Malformed(ValueError):
    """Bytes that are no message as this laboratory exchanges them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One query or answer.

    Attributes:
        ident: the ID by which an answer is matched, 0..65535.
        name: labels of the name that is asked for; case is kept, and does not matter.
        is_answer: whether it answers.
        rcode: response code.
        truncated: whether the answer did not fit.
        addresses: IPv4 addresses of the name, as numbers in host order.
        ttl_s: how long they may be kept, s.
        udp_bytes: longest datagram that the sender takes, 0 = nothing said of it.
        order: of a query: how long the server shall take, ns, and bytes of records to answer.
    """

    ident: int
    name: Name
    is_answer: bool = False
    rcode: int = NO_ERROR
    truncated: bool = False
    addresses: tuple[int, ...] = ()
    ttl_s: int = 0
    udp_bytes: int = 0
    order: tuple[int, int] | None = None

    def asks_like(self, name: Name) -> bool:
        """Whether its question is this one."""
        return [one.lower() for one in self.name] == [one.lower() for one in name]


def encode(message: Message) -> bytes:
    """The bytes of a message; owner names of records point to the question.

    Raises:
        ValueError: a label or the name is too long, or an order stands without EDNS.
    """
    if message.order is not None and not message.udp_bytes:
        raise ValueError("an order travels in EDNS; give udp_bytes")
    flags = _RECURSION_DESIRED | message.rcode
    flags |= _ANSWER * message.is_answer | _TRUNCATED * message.truncated
    extra = 1 if message.udp_bytes else 0
    parts = [
        _HEADER.pack(message.ident, flags, 1, len(message.addresses), 0, extra),
        encode_name(message.name),
        _QUESTION_END.pack(_TYPE_A, _CLASS_IN),
    ]
    for address in message.addresses:
        parts.append(_TO_THE_QUESTION + _RECORD.pack(_TYPE_A, _CLASS_IN, message.ttl_s, 4))
        parts.append(address.to_bytes(4, "big"))
    if extra:
        option = b""
        if message.order is not None:
            option = _OPTION.pack(_ORDER_OPTION, _ORDER.size) + _ORDER.pack(*message.order)
        parts.append(b"\0" + _RECORD.pack(_TYPE_OPT, message.udp_bytes, 0, len(option)) + option)
    return b"".join(parts)


def encode_name(name: Name) -> bytes:
    """Labels with their lengths, and the root.

    Raises:
        ValueError: a label is empty or longer than 63 bytes, or the whole longer than 255.
    """
    if any(not 0 < len(label) <= _LONGEST_LABEL for label in name):
        raise ValueError("a label has from 1 to 63 bytes")
    data = b"".join(bytes([len(label)]) + label for label in name) + b"\0"
    if len(data) > _LONGEST_NAME:
        raise ValueError("a name has at most 255 bytes")
    return data


def with_ident(data: bytes, ident: int) -> bytes:
    """The same message under another ID."""
    return ident.to_bytes(2, "big") + data[2:]


def peek_ident(data: bytes) -> int:
    """The ID of a message of two bytes or more, whatever else it is."""
    return data[0] << 8 | data[1]


def decode(data: bytes) -> Message:
    """The message in a datagram.

    Raises:
        Malformed: it is none, or asks for something other than one IPv4 address.
    """
    if len(data) < HEADER_BYTES:
        raise Malformed("is shorter than a header")
    ident, flags, questions, answers, authorities, extras = _HEADER.unpack_from(data)
    if questions != 1 or flags & _OPCODE:
        raise Malformed("is no plain question")
    name, at = read_name(data, HEADER_BYTES)
    kind, family = _QUESTION_END.unpack(_take(data, at, _QUESTION_END.size))
    if (kind, family) != (_TYPE_A, _CLASS_IN):
        raise Malformed("asks for something other than an IPv4 address")
    reader = _Records(data, at + _QUESTION_END.size, name)
    for _ in range(answers):
        reader.answer()
    for _ in range(authorities):
        reader.skip()
    for _ in range(extras):
        reader.extra()
    if reader.at != len(data):
        raise Malformed("goes on after its end")
    return Message(
        ident=ident,
        name=name,
        is_answer=bool(flags & _ANSWER),
        rcode=flags & 0xF,
        truncated=bool(flags & _TRUNCATED),
        addresses=tuple(reader.addresses),
        ttl_s=reader.ttl_s,
        udp_bytes=reader.udp_bytes,
        order=reader.order,
    )


def read_name(data: bytes, at: int) -> tuple[Name, int]:
    """A name and where the bytes after it begin.

    Raises:
        Malformed: it leaves the message, is too long, or points forward or to itself.
    """
    labels: list[bytes] = []
    size, after, lowest = 1, -1, at
    while True:
        length = _take(data, at, 1)[0]
        if length & _POINTER == _POINTER:
            target = (length & ~_POINTER) << 8 | _take(data, at + 1, 1)[0]
            after = at + 2 if after < 0 else after
            if target >= lowest or target < HEADER_BYTES:
                raise Malformed("has a name that does not point backwards")
            at = lowest = target
            continue
        if length > _LONGEST_LABEL:
            raise Malformed("has a label of a kind that does not exist")
        if not length:
            return tuple(labels), at + 1 if after < 0 else after
        labels.append(_take(data, at + 1, length))
        size += 1 + length
        if size > _LONGEST_NAME:
            raise Malformed("has a name of more than 255 bytes")
        at += 1 + length


def _take(data: bytes, at: int, size: int) -> bytes:
    """So many bytes from there.

    Raises:
        Malformed: the message ends before.
    """
    if at + size > len(data):
        raise Malformed("ends too early")
    return data[at : at + size]


class _Records:
    """Reads the records after the question, one after the other."""

    def __init__(self, data: bytes, at: int, name: Name) -> None:
        self._data = data
        self._name = [label.lower() for label in name]
        self.at = at
        self.addresses: list[int] = []
        self.ttl_s = 0
        self.udp_bytes = 0
        self.order: tuple[int, int] | None = None

    def _next(self) -> tuple[Name, int, int, int, bytes]:
        name, at = read_name(self._data, self.at)
        kind, family, ttl_s, size = _RECORD.unpack(_take(self._data, at, _RECORD.size))
        value = _take(self._data, at + _RECORD.size, size)
        self.at = at + _RECORD.size + size
        return name, kind, family, ttl_s, value

    def skip(self) -> None:
        """A record that says nothing here."""
        self._next()

    def answer(self) -> None:
        """Take an address of the name that was asked for; others are not believed."""
        name, kind, family, ttl_s, value = self._next()
        if (kind, family) != (_TYPE_A, _CLASS_IN) or [x.lower() for x in name] != self._name:
            return
        if len(value) != 4:
            raise Malformed("has an address that is not four bytes")
        self.addresses.append(int.from_bytes(value, "big"))
        self.ttl_s = ttl_s

    def extra(self) -> None:
        """Take what EDNS says."""
        _, kind, family, _, value = self._next()
        if kind != _TYPE_OPT:
            return
        self.udp_bytes = family
        at = 0
        while at < len(value):
            code, size = _OPTION.unpack(_take(value, at, _OPTION.size))
            option = _take(value, at + _OPTION.size, size)
            if code == _ORDER_OPTION and size == _ORDER.size:
                service_ns, answer_bytes = _ORDER.unpack(option)
                self.order = (service_ns, answer_bytes)
            at += _OPTION.size + size
