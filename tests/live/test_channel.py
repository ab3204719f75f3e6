"""Frames whole and in pieces, hostile ones refused, and a queue that cannot grow without end."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.live import channel as channel_module
from simulator.live.channel import (
    MAX_FRAME_BYTES,
    Channel,
    ChannelBroken,
    Decoder,
    Message,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
heads = st.dictionaries(st.text(max_size=6), values, max_size=4)
frames = st.tuples(heads, st.binary(max_size=40))


@given(wanted=st.lists(frames, max_size=6), data=st.data())
def test_frames_cut_anywhere_come_out_whole_and_in_order(
    wanted: list[tuple[Message, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encode(head, tail) for head, tail in wanted)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[begin:end])
    assert found == wanted


def test_byte_by_byte_a_frame_is_whole_at_its_last_byte() -> None:
    stream = encode({"is": "tick"}, b"tail") + encode({})
    decoder = Decoder()
    told = [len(decoder.feed(bytes([byte]))) for byte in stream]
    first = len(encode({"is": "tick"}, b"tail"))
    assert [at for at, count in enumerate(told) if count] == [first - 1, len(stream) - 1]


def test_what_follows_a_frame_is_kept_for_the_next() -> None:
    decoder = Decoder()
    following = encode({"n": 2}, b"two")
    assert decoder.feed(encode({"n": 1}) + following[:9]) == [({"n": 1}, b"")]
    assert decoder.feed(following[9:]) == [({"n": 2}, b"two")]


def raw(rest: int, head_size: int, body: bytes = b"") -> bytes:
    return struct.pack("<II", rest, head_size) + body


HOSTILE = {
    "over the cap": raw(MAX_FRAME_BYTES + 1, 2),
    "the largest length": raw(0xFFFFFFFF, 2),
    "a head longer than its frame": raw(10, 7),
    "a frame shorter than its own length field": raw(3, 0),
    "no length at all": raw(0, 0),
    "a head that is not JSON": raw(4 + 4, 4, b"{no}"),
    "a head that is not UTF-8": raw(4 + 4, 4, b'"\xff\xfe"'),
    "an empty head": raw(4, 0),
    "a list": raw(4 + 2, 2, b"[]"),
    "a number": raw(4 + 1, 1, b"7"),
    "brackets without end": raw(4 + 100_000, 100_000, b"[" * 100_000),
    "a number without end": raw(4 + 100_000, 100_000, b"7" * 100_000),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_frame_breaks_the_channel_at_once(data: bytes) -> None:
    with pytest.raises(ChannelBroken):
        Decoder().feed(data)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_frames_or_wait_or_break_the_channel(data: bytes) -> None:
    try:
        found = Decoder().feed(data)
    except ChannelBroken:
        return
    assert all(isinstance(head, dict) for head, _ in found)


def test_a_frame_over_the_cap_is_not_even_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "MAX_FRAME_BYTES", 100)
    assert encode({}, bytes(94))
    with pytest.raises(ValueError, match="101 bytes"):
        encode({}, bytes(95))  # 4 for the head's length, 2 for the head


# On a socket, on both loops.


class End:
    """One end of a channel, and what it heard."""

    def __init__(self, sock: socket.socket) -> None:
        self.heard: list[tuple[Message, bytes]] = []
        self.ends: list[str] = []
        self.news = asyncio.Event()
        self.channel = Channel(asyncio.get_running_loop(), sock, self._message, self._end)

    def _message(self, head: Message, tail: bytes) -> None:
        self.heard.append((head, tail))
        self.news.set()

    def _end(self, why: str) -> None:
        self.ends.append(why)
        self.news.set()

    async def until(self, count: int = 0, ends: int = 0) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count or len(self.ends) < ends:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


async def test_messages_go_both_ways_in_order(pair: Pair) -> None:
    left, right = (End(sock) for sock in pair)
    for number in range(200):
        left.channel.send({"n": number}, bytes(number))
        right.channel.send({"back": number})
    await right.until(200)
    await left.until(200)
    assert right.heard == [({"n": number}, bytes(number)) for number in range(200)]
    assert left.heard == [({"back": number}, b"") for number in range(200)]
    left.channel.close()
    right.channel.close()
    assert left.ends == right.ends == []


async def test_what_the_socket_does_not_take_is_queued_and_sent_later(pair: Pair) -> None:
    left = End(pair[0])
    big = bytes(range(256)) * (1 << 12)  # 1 MiB, more than a socket pair holds
    for number in range(4):
        left.channel.send({"n": number}, big)
    assert left.channel.queued_bytes > 0
    right = End(pair[1])
    await right.until(4)
    assert right.heard == [({"n": number}, big) for number in range(4)]
    assert left.channel.queued_bytes == 0
    left.channel.close()
    right.channel.close()


async def test_an_end_that_stops_reading_costs_no_more_than_the_cap(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "MAX_QUEUED_BYTES", 1 << 20)
    left = End(pair[0])
    most = sent = 0
    while left.channel.is_open and sent < 1000:
        left.channel.send({}, bytes(1 << 16))
        most = max(most, left.channel.queued_bytes)
        sent += 1
    assert left.ends == ["the other side stopped reading"]
    assert (1 << 19) < most <= (1 << 20)
    left.channel.send({"after": "the end"})
    assert left.channel.queued_bytes == 0, "what nobody will read is not kept"


@pytest.mark.parametrize("unread", [False, True], ids=["cleanly", "with bytes unread"])
async def test_the_other_end_closing_is_told_once(pair: Pair, *, unread: bool) -> None:
    left = End(pair[0])
    if unread:
        left.channel.send({"nobody": "reads this"})
    pair[1].close()
    await left.until(ends=1)
    left.channel.send({"too": "late"})
    left.channel.close()
    assert len(left.ends) == 1
    assert not left.channel.is_open
    assert pair[0].fileno() == -1


async def test_messages_before_the_end_are_heard_before_it(pair: Pair) -> None:
    left = End(pair[0])
    pair[1].sendall(encode({"last": "words"}, b"tail"))
    pair[1].close()
    await left.until(ends=1)
    assert left.heard == [({"last": "words"}, b"tail")]
    assert left.ends == ["closed"]


async def test_last_words_are_heard_even_by_one_who_speaks_to_the_dead(pair: Pair) -> None:
    left = End(pair[0])
    pair[1].sendall(encode({"is": "failed"}, b"why"))
    pair[1].close()
    for number in range(3):
        left.channel.send({"n": number})
    assert left.channel.queued_bytes == 0
    await left.until(ends=1)
    assert left.heard == [({"is": "failed"}, b"why")]
    assert left.ends == ["closed"]


async def test_draining_takes_what_has_arrived_and_the_end(pair: Pair) -> None:
    left = End(pair[0])
    for number in range(3):
        pair[1].sendall(encode({"n": number}, bytes(1 << 10)))
    left.channel.drain()
    assert [head["n"] for head, _ in left.heard] == [0, 1, 2]
    assert left.channel.is_open
    pair[1].close()
    left.channel.drain()
    assert left.ends == ["closed"]
    left.channel.drain()
    assert left.ends == ["closed"]


async def test_a_broken_frame_ends_the_channel_after_the_good_ones(pair: Pair) -> None:
    left = End(pair[0])
    pair[1].sendall(encode({"good": 1}))
    await left.until(1)
    pair[1].sendall(HOSTILE["a list"])
    await left.until(ends=1)
    assert left.heard == [({"good": 1}, b"")]
    assert "not a JSON object" in left.ends[0]


async def test_an_end_that_closes_itself_while_listening_hears_no_more(pair: Pair) -> None:
    heard: list[Message] = []
    ends: list[str] = []
    closed = asyncio.Event()

    def message(head: Message, _tail: bytes) -> None:
        heard.append(head)
        channel.close()
        closed.set()

    channel = Channel(asyncio.get_running_loop(), pair[0], message, ends.append)
    pair[1].sendall(encode({"n": 1}) + encode({"n": 2}))
    async with asyncio.timeout(10):
        await closed.wait()
    assert heard == [{"n": 1}]
    assert ends == []


def test_a_head_is_plain_json_that_anybody_can_read() -> None:
    head: dict[str, Any] = {"is": "ready", "leases": [[1, "127.4.0.1", 40_000]]}
    frame = encode(head, b"tail")
    rest, size = struct.unpack_from("<II", frame)
    assert rest == len(frame) - 4
    assert json.loads(frame[8 : 8 + size]) == head
    assert frame[8 + size :] == b"tail"
