"""DNS messages: what is written is read back, what others wrote is read, and rubbish is refused."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.dns.message import (
    NO_SUCH_NAME,
    UDP_BYTES,
    Malformed,
    Message,
    decode,
    encode,
    encode_name,
    peek_ident,
    read_name,
    with_ident,
)

LABEL = st.binary(min_size=1, max_size=63)
NAME = st.lists(LABEL, max_size=6).map(tuple).filter(lambda n: sum(len(x) + 1 for x in n) < 255)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFF_FFFF)
ORDER = st.none() | st.tuples(st.integers(0, (1 << 64) - 1), U32)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    addresses = tuple(draw(st.lists(U32, max_size=20)))
    udp_bytes = draw(U16)
    return Message(
        ident=draw(U16),
        name=draw(NAME),
        is_answer=draw(st.booleans()),
        rcode=draw(st.integers(0, 15)),
        truncated=draw(st.booleans()),
        addresses=addresses,
        ttl_s=draw(U32) if addresses else 0,
        udp_bytes=udp_bytes,
        order=draw(ORDER) if udp_bytes else None,
    )


@given(messages())
def test_what_is_written_is_read(message: Message) -> None:
    data = encode(message)
    assert decode(data) == message
    assert peek_ident(data) == message.ident


@given(messages(), U16)
def test_an_id_is_changed_and_nothing_else(message: Message, ident: int) -> None:
    assert decode(with_ident(encode(message), ident)) == replace(message, ident=ident)


@given(messages(), st.data())
def test_no_beginning_of_a_message_is_one(message: Message, data: st.DataObject) -> None:
    whole = encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Malformed):
        decode(whole[:cut])
    with pytest.raises(Malformed):
        decode(whole + b"x")


@settings(max_examples=300)
@given(st.binary(max_size=120), st.binary(max_size=8))
def test_rubbish_is_refused_and_never_anything_else(body: bytes, flags: bytes) -> None:
    heads = (b"", b"\0\1\x01\0\0\1\0\1\0\0\0\1", b"\0\1\x81\x80\0\1\0\2\0\0\0\0")
    for data in (head + flags + body for head in heads):
        with contextlib.suppress(Malformed):
            decode(data)


@given(messages(), st.integers(0, 400), st.integers(0, 255))
def test_one_wrong_byte_is_read_otherwise_or_refused(message: Message, at: int, byte: int) -> None:
    data = bytearray(encode(message))
    data[at % len(data)] = byte
    with contextlib.suppress(Malformed):
        decode(bytes(data))


# An answer as a common server gives it to a lookup of example.com: an alias first, a record of
# the authority, EDNS; names partly by pointer into each other.
COMMON = bytes.fromhex(
    "1234 8180 0001 0002 0001 0001"
    "03777777 076578616d706c65 03636f6d 00 0001 0001"
    "c00c 0005 0001 0000003c 0007 04686f7374 c010"  # www CNAME host.example.com
    "c00c 0001 0001 0000012c 0004 5db8d822"
    "c010 0002 0001 00000e10 0006 036e7331 c010"
    "00 0029 04d0 00000000 0000"
)


def test_an_answer_of_a_common_server_is_read() -> None:
    message = decode(COMMON)
    assert message.name == (b"www", b"example", b"com")
    assert message.addresses == (0x5DB8D822,)
    assert (message.ttl_s, message.udp_bytes, message.order) == (300, UDP_BYTES, None)
    assert message.asks_like((b"WWW", b"Example", b"com"))
    assert not message.asks_like((b"example", b"com"))


def test_an_address_of_another_name_is_not_believed() -> None:
    asked = encode(Message(ident=1, name=(b"a",), is_answer=True, addresses=(7,)))
    record = asked[len(asked) - 16 :]
    other = asked[:-16] + encode_name((b"b",)) + record[2:]
    assert decode(other).addresses == ()


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        (b"\xc0\x0c", "backwards"),  # to itself
        (b"\x01a\xc0\x0c", "backwards"),  # a loop of two
        (b"\xc0\x20", "backwards"),  # forward
        (b"\xc0\x00", "backwards"),  # into the header
        (b"\xc0", "early"),
        (b"\x3f" + b"a" * 62, "early"),
        (b"\x80", "kind"),
        (b"\x40a", "kind"),
        ((b"\x3f" + b"a" * 63) * 4 + b"\0", "255"),
    ],
)
def test_names_that_loop_or_do_not_end_are_refused(tail: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read_name(bytes(12) + tail, 12)


def test_a_chain_of_pointers_ends() -> None:
    chain = bytes(12) + b"\0" + b"".join((0xC000 | 12).to_bytes(2, "big") for _ in range(1))
    for _ in range(2000):
        chain += (0xC000 | (len(chain) - 2)).to_bytes(2, "big")
    assert read_name(chain, len(chain) - 2) == ((), len(chain))


def test_other_questions_are_refused() -> None:
    plain = bytearray(encode(Message(ident=1, name=(b"a",))))
    for at, value in ((5, 2), (5, 0), (2, 0x29), (16, 28), (18, 3)):
        wrong = bytearray(plain)
        wrong[at] = value
        with pytest.raises(Malformed):
            decode(bytes(wrong))
    assert decode(bytes(plain)).rcode != NO_SUCH_NAME


def test_what_cannot_be_written_is_refused() -> None:
    for name in ((b"",), (b"a" * 64,), (b"a" * 63,) * 4):
        with pytest.raises(ValueError, match="bytes"):
            encode(Message(ident=1, name=name))
    with pytest.raises(ValueError, match="EDNS"):
        encode(Message(ident=1, name=(b"a",), order=(1, 2)))
