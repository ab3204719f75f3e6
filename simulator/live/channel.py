"""Messages between the conductor and its crew: small JSON heads with an optional binary tail.

A frame is ``<u32 length of the rest><u32 length of the head><head as JSON><tail>``. Lengths are
capped before anything is allocated, and there is no pickle: a role may send only data. Writing
never blocks: what the socket does not take at once is queued, and the queue is bounded, since a
conductor that stopped reading must not cost a role its memory.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

_LENGTHS: Final = struct.Struct("<II")
MAX_FRAME_BYTES: Final = 64 << 20
MAX_QUEUED_BYTES: Final = 256 << 20

Message = dict[str, Any]


class ChannelBroken(Exception):
    """The other side sent something that is not a frame, or stopped reading."""


def encode(head: Message, tail: bytes = b"") -> bytes:
    """One frame.

    Raises:
        ValueError: it is longer than the other side would take.
    """
    text = json.dumps(head, separators=(",", ":")).encode()
    rest = 4 + len(text) + len(tail)
    if rest > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {rest} bytes is over the cap of {MAX_FRAME_BYTES}")
    return _LENGTHS.pack(rest, len(text)) + text + tail


class Decoder:
    """Bytes in, frames out; keeps what is not yet a whole frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[Message, bytes]]:
        """Add received bytes and return the frames that are now whole.

        Raises:
            ChannelBroken: a length over the cap, or a head that is not a JSON object.
        """
        buffer = self._buffer
        buffer += data
        frames: list[tuple[Message, bytes]] = []
        at = 0
        while len(buffer) - at >= _LENGTHS.size:
            rest, head_size = _LENGTHS.unpack_from(buffer, at)
            if rest > MAX_FRAME_BYTES or head_size + 4 > rest:
                raise ChannelBroken(f"a frame claims {rest} bytes with a head of {head_size}")
            end = at + 4 + rest
            if len(buffer) < end:
                break
            start = at + _LENGTHS.size
            try:
                head = json.loads(bytes(buffer[start : start + head_size]))
            except (ValueError, RecursionError) as error:
                raise ChannelBroken(f"a frame's head is not JSON: {error}") from error
            if not isinstance(head, dict):
                raise ChannelBroken("a frame's head is not a JSON object")
            frames.append((head, bytes(buffer[start + head_size : end])))
            at = end
        del buffer[:at]
        return frames


class Channel:
    """One end of a stream socket that carries frames, on any asyncio loop.

    Args:
        sock: a connected stream socket; the channel owns and closes it.
        on_message: called with each head and tail.
        on_end: called once, when the other side is gone or broke the protocol.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_message: Callable[[Message, bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._sock = sock
        self._on_message = on_message
        self._on_end = on_end
        self._decoder = Decoder()
        self._queue = bytearray()
        self._open = True
        self._nobody_reads = False
        loop.add_reader(sock.fileno(), self._readable)

    @property
    def is_open(self) -> bool:
        """Whether frames can still be sent."""
        return self._open

    @property
    def queued_bytes(self) -> int:
        """Bytes not yet taken by the socket."""
        return len(self._queue)

    def send(self, head: Message, tail: bytes = b"") -> None:
        """Send one frame, or queue it; frames to an end that is gone are dropped."""
        if not self._open or self._nobody_reads:
            return
        was_empty = not self._queue
        self._queue += encode(head, tail)
        if len(self._queue) > MAX_QUEUED_BYTES:
            self._end("the other side stopped reading")
        elif was_empty:
            self._flush()

    def close(self) -> None:
        """Close this end; queued frames are lost."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()
            self._queue.clear()

    def _end(self, why: str) -> None:
        if self._open:
            self.close()
            self._on_end(why)

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._queue)
        except BlockingIOError:
            sent = 0
        except OSError:
            # Nobody reads any more, but what was said before is still to be heard; reading will
            # find the end.
            self._nobody_reads = True
            self._queue.clear()
            sent = 0
        del self._queue[:sent]
        if self._queue:
            self._loop.add_writer(self._sock.fileno(), self._flush)
        else:
            self._loop.remove_writer(self._sock.fileno())

    def drain(self) -> None:
        """Take what has already arrived now, the end of the other side included."""
        while self._open and self._receive():
            pass

    def _readable(self) -> None:
        self._receive()

    def _receive(self) -> bool:
        """Take one read's worth; whether there was anything to take."""
        try:
            data = self._sock.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError as error:
            self._end(error.strerror or "closed")
            return False
        if not data:
            self._end("closed")
            return False
        try:
            for head, tail in self._decoder.feed(data):
                if not self._open:
                    return False  # closed by what the frame before had it do
                self._on_message(head, tail)
        except ChannelBroken as error:
            self._end(str(error))
        return True
