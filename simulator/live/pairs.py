"""Pairs of connected descriptors, and the bytes moved between them.

A *client* and an *upstream* are each other's peer. All that is known of them stands in lists
indexed by descriptor; there is no task, transport or object for a connection. Each side is
registered with epoll once, edge-triggered, and read until the kernel has no more.

What is promised, and proved with thousands of random connections:

1. Bytes arrive unchanged, in order, once. A direction holds at most one buffer: what the other side
   would not take waits here, and its source is not read until it is gone. Bulk goes through a pipe
   (`conduit.py`), which is then the buffer; a buffer below 64 KiB is never exceeded so.
2. FIN is passed on by FIN when everything before it is delivered; the other direction goes on.
   Both sides ended: both are closed.
3. RST is passed on by RST. What was said before it is delivered first, unless the reader is stuck.

This file moves and ends; `relay.py` accepts, picks and connects.
"""

from __future__ import annotations

import errno
from os import close, read, readv, write
from typing import TYPE_CHECKING, Final

from simulator.kernel.sockets import linger_zero, shutdown_write
from simulator.live.conduit import CONDUITS_MAX, Conduit
from simulator.live.reactor import (
    EPOLLERR,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    READS_AND_WRITES,
    Reactor,
)
from simulator.live.relay_log import RelayLog, RelaySettings
from simulator.records import Call, Ending

if TYPE_CHECKING:
    import asyncio

    from simulator.balancing.load import Load
    from simulator.live.dialer import Dialer

NOBODY: Final = -1
#: Events that mean: read until the kernel has no more.
READ_TO_THE_END: Final = EPOLLIN | EPOLLRDHUP

# What is known of a descriptor.
LIVE: Final = 1
UPSTREAM: Final = 2
CONNECTING: Final = 4
EOF: Final = 8  # nothing more will be read from it
WATCHED: Final = 16  # a client registered with epoll
WATCHED_OUT: Final = 32  # registered for writing too
PROMPT: Final = 64  # TCP_NODELAY is set
RESET: Final = 128  # it was reset, which the kernel tells only once: its end is no FIN
BULK: Final = 256  # once had more than a small read could take: is read by larger means
NOT_PLAIN: Final = LIVE | CONNECTING | EOF | BULK

#: Also the smallest buffer with which bulk may go through a pipe, which holds more.
_READ_BYTES: Final = 65_536
#: A first read of this size comes from Python's own allocator; a larger one costs twice as much.
_SMALL_READ_BYTES: Final = 448
#: A side that always has more to read gives way to the others after so many reads.
_READS_PER_TURN: Final = range(16)
_HUNG_UP: Final = EPOLLRDHUP | EPOLLHUP | EPOLLERR
_READABLE: Final = EPOLLIN | _HUNG_UP
_FATAL: Final = EPOLLERR | EPOLLHUP


class Pairs:
    """Moves bytes between clients and upstreams, and ends them.

    Args:
        loop: the event loop it lives in.
        dialer: opened the upstreams and closes them.
        load: told when an upstream has ended.
        settings: the buffer, and whether ends are passed on.
    """

    # Slots, since an object with more than 30 attributes would be read by slower means.
    __slots__ = (
        "_active",
        "_active_ns",
        "_backend",
        "_buffered",
        "_bytes",
        "_chunk",
        "_closing",
        "_conduits",
        "_dialer",
        "_flags",
        "_half_close",
        "_leaving",
        "_load",
        "_log",
        "_peer",
        "_reactor",
        "_resets",
        "_small_chunk",
        "_tried",
        "_view",
        "_waiting",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dialer: Dialer,
        load: Load,
        settings: RelaySettings,
    ) -> None:
        self._dialer = dialer
        self._load = load
        self._log = RelayLog()
        self._reactor = Reactor(loop, self._on_event)
        self._chunk = min(_READ_BYTES, settings.buffer_bytes)
        self._half_close = settings.half_close
        self._small_chunk = min(_SMALL_READ_BYTES, settings.buffer_bytes)
        # By descriptor; grown as numbers come up.
        self._flags: list[int] = []
        self._peer: list[int] = []
        # What could not be written to this descriptor yet.
        self._waiting: list[bytes | Conduit] = []
        self._active_ns: list[int] = []
        self._backend: list[int] = []  # of an upstream
        self._view = memoryview(bytearray(self._chunk))  # where bulk is read into
        self._conduits: dict[int, Conduit] = {}  # by the descriptor that is read
        self._tried: dict[int, list[int]] = {}  # by client: backends that could not be reached
        self._closing: list[int] = []  # clients to be closed after this batch
        self._leaving: list[tuple[int, bool]] = []  # upstreams, and whether by RST
        self._active = self._buffered = self._resets = 0
        self._bytes = [0, 0, 0]  # [0] from clients, [UPSTREAM] from backends

    def _grow(self, fd: int) -> None:
        """Make room for a descriptor's number."""
        more = max(1024, fd + 1 - len(self._flags))
        self._flags.extend([0] * more)
        self._peer.extend([NOBODY] * more)
        self._waiting.extend([b""] * more)
        self._active_ns.extend([0] * more)
        self._backend.extend([NOBODY] * more)

    def _on_connected(self, upstream: int) -> None:
        """A connect that was on its way has succeeded."""
        raise NotImplementedError

    def _on_connect_error(self, upstream: int, code: int, unsent: bytes) -> None:
        """A connect that was on its way has failed; ``unsent`` was meant for it."""
        raise NotImplementedError

    # Moving bytes.

    def _on_event(self, fd: int, events: int) -> None:
        """Read what there is from one side and write it to the other."""
        flags = self._flags
        peer = self._peer[fd]
        flag = flags[fd]
        if (
            flag & NOT_PLAIN != LIVE
            or events & EPOLLOUT
            or self._waiting[peer]
            or flags[peer] & CONNECTING
        ):
            self._on_rare_event(fd, events)
            return
        self._active_ns[fd] = self._reactor.now_ns
        while True:
            try:
                data = read(fd, self._small_chunk)
            except BlockingIOError:
                return
            except OSError:
                self._on_reset(fd)
                return
            size = len(data)
            if not size:
                self._on_eof(fd)
                return
            self._bytes[flag & UPSTREAM] += size
            if not flags[peer] & PROMPT:
                self._make_prompt(peer)
            try:
                sent = write(peer, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._on_write_error(peer)
                return
            if sent < size:
                self._hold_back(peer, data[sent:])
                return
            if size == self._small_chunk:
                flags[fd] |= BULK
                self._pump(fd, peer, events)
                return
            if not events & _HUNG_UP:
                return

    def _on_rare_event(self, fd: int, events: int) -> None:
        """All but plain reading: dead, connecting, writable again, or not to be read now."""
        flag = self._flags[fd]
        if not flag & LIVE:
            return  # given up earlier in this batch
        if flag & CONNECTING:
            if events & _FATAL:
                code = self._dialer.take_error(fd) or errno.ECONNREFUSED
                self._on_connect_error(fd, code, self._unsent_to(fd))
            elif events & EPOLLOUT:
                self._on_connected(fd)
        elif events & EPOLLOUT:
            if self._waiting[fd]:
                self._flush(fd)
            if events & _READABLE and self._flags[fd] & LIVE:
                self._on_event(fd, events & ~EPOLLOUT)
        elif flag & BULK and not flag & EOF and self._may_read(fd):
            self._active_ns[fd] = self._reactor.now_ns
            self._pump(fd, self._peer[fd], events)
        elif events & EPOLLERR:
            # The other side takes nothing now (reading goes on when it does), or there is nothing
            # more. A reset is passed on all the same: it must not wait for a stuck reader.
            self._on_reset(fd)

    def _unsent_to(self, upstream: int) -> bytes:
        """What waits for a connect; nothing is read in bulk before that."""
        data = self._waiting[upstream]
        assert isinstance(data, bytes)
        return data

    def _may_read(self, fd: int) -> bool:
        peer = self._peer[fd]
        return not (self._waiting[peer] or self._flags[peer] & CONNECTING)

    # Bulk.

    def _pump(self, fd: int, peer: int, events: int) -> None:
        """Move bulk, by way of a pipe as soon as there is a large piece of it."""
        conduit = self._conduits.get(fd) if self._conduits else None
        if conduit is not None:
            self._pump_through(conduit, fd, peer)
            return
        view, chunk, direction = self._view, self._chunk, self._flags[fd] & UPSTREAM
        for _ in _READS_PER_TURN:
            try:
                size = readv(fd, (view,))
            except BlockingIOError:
                return
            except OSError:
                self._on_reset(fd)
                return
            if not size:
                self._on_eof(fd)
                return
            self._bytes[direction] += size
            if not self._give(peer, view[:size]):
                return
            if size < chunk:
                if not events & _HUNG_UP:
                    return
            elif (conduit := self._new_conduit(fd)) is not None:
                self._pump_through(conduit, fd, peer)
                return
        self._reactor.call_again(fd, READ_TO_THE_END)

    def _give(self, peer: int, data: memoryview) -> bool:
        """Write; whether all of it was taken."""
        if not self._flags[peer] & PROMPT:
            self._make_prompt(peer)
        try:
            sent = write(peer, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._on_write_error(peer)
            return False
        if sent < len(data):
            self._hold_back(peer, bytes(data[sent:]))
            return False
        return True

    def _new_conduit(self, fd: int) -> Conduit | None:
        """A pipe for what is read from here, unless there are enough of them."""
        # Who asks for less than the usual buffer shall not have a pipe's.
        if self._chunk < _READ_BYTES or len(self._conduits) >= CONDUITS_MAX:
            return None
        try:
            conduit = self._conduits[fd] = Conduit()
        except OSError:
            return None
        return conduit

    def _pump_through(self, conduit: Conduit, fd: int, peer: int) -> None:
        for _ in _READS_PER_TURN:
            try:
                size = conduit.fill(fd)
            except BlockingIOError:
                return
            except OSError:
                self._on_reset(fd)
                return
            if not size:
                self._on_eof(fd)
                return
            self._bytes[self._flags[fd] & UPSTREAM] += size
            try:
                conduit.drain(peer)
            except OSError:
                self._on_write_error(peer)
                return
            if conduit:
                self._hold_back(peer, conduit)
                return
        self._reactor.call_again(fd, READ_TO_THE_END)

    def _release_conduits(self, client: int, upstream: int) -> None:
        for fd in (client, upstream):
            conduit = self._conduits.pop(fd, None)
            if conduit is not None:
                conduit.close()

    def _make_prompt(self, upstream: int) -> None:
        """From the second write on small pieces must not wait for an acknowledgement (Nagle).

        The first never does, and most connections to a backend carry no second one.
        """
        self._flags[upstream] |= PROMPT
        self._dialer.no_delay(upstream)

    def _hold_back(self, fd: int, data: bytes | Conduit) -> None:
        """Keep what a side would not take, and wait until it is writable."""
        self._keep(fd, data)
        if not self._flags[fd] & WATCHED_OUT:
            self._flags[fd] |= WATCHED_OUT
            self._reactor.modify(fd, READS_AND_WRITES)

    def _keep(self, fd: int, data: bytes | Conduit) -> None:
        self._waiting[fd] = data
        self._buffered += len(data)

    def _flush(self, fd: int) -> None:
        """Write what has been waiting; when it is gone, read the other side again."""
        data = self._waiting[fd]
        try:
            sent = data.drain(fd) if isinstance(data, Conduit) else write(fd, data)
        except BlockingIOError:
            return
        except OSError:
            self._on_write_error(fd)
            return
        self._buffered -= sent
        self._active_ns[fd] = self._reactor.now_ns
        left = data if isinstance(data, Conduit) else data[sent:]
        if left:
            self._waiting[fd] = left
            return
        self._waiting[fd] = b""
        source = self._peer[fd]
        if self._flags[source] & EOF:
            self._pass_eof(source)
        else:
            self._on_event(source, READ_TO_THE_END)

    # Endings.

    def _on_eof(self, fd: int) -> None:
        self._flags[fd] |= EOF
        # After a reset that was told to a write, reading ends like this too; that is no FIN.
        if not self._flags[fd] & RESET:
            self._pass_eof(fd)

    def _pass_eof(self, fd: int) -> None:
        """One side has ended: end the other direction likewise, or all there is left to end."""
        peer = self._peer[fd]
        if self._flags[peer] & EOF or not self._half_close:
            self._end(peer if self._flags[fd] & UPSTREAM else fd)
            return
        try:
            if self._flags[fd] & UPSTREAM:
                shutdown_write(peer)
            else:
                self._dialer.shutdown(peer)
        except OSError:
            self._on_reset(peer)

    def _on_write_error(self, fd: int) -> None:
        """This side was reset: deliver what it said before, then reset the other."""
        self._buffered -= len(self._waiting[fd])
        self._waiting[fd] = b""
        if not self._flags[fd] & (EOF | RESET):
            self._flags[fd] |= RESET
            self._on_event(fd, READ_TO_THE_END | EPOLLERR)
        if self._flags[fd] & LIVE:
            self._on_reset(fd)

    def _on_reset(self, fd: int) -> None:
        """One side is gone: the other one is told in the same way."""
        self._resets += 1
        if self._flags[fd] & UPSTREAM:
            self._end(self._peer[fd], reset_client=True)
        else:
            self._end(fd, reset_upstream=True)

    def _end(
        self, client: int, *, reset_client: bool = False, reset_upstream: bool = False
    ) -> None:
        """Forget a connection; its descriptors are closed after the batch."""
        upstream = self._peer[client]
        if upstream >= 0:
            self._drop_upstream(upstream, reset=reset_upstream)
        if self._tried:
            self._tried.pop(client, None)
        if self._waiting[client]:
            self._buffered -= len(self._waiting[client])
            self._waiting[client] = b""
        if self._conduits:
            self._release_conduits(client, upstream)
        self._flags[client] = 0
        self._active -= 1
        if reset_client:
            linger_zero(client)
        self._closing.append(client)

    def _drop_upstream(self, upstream: int, *, reset: bool) -> None:
        if self._flags[upstream] & CONNECTING:
            # Given up for the client's sake, which is nothing that the backend or a port did.
            self._log.ended(upstream, self._backend[upstream], Call.CONNECT, Ending.EOF)
        if self._waiting[upstream]:
            self._buffered -= len(self._waiting[upstream])
            self._waiting[upstream] = b""
        self._flags[upstream] = 0
        self._load.closed(self._backend[upstream])
        self._leaving.append((upstream, reset))

    def _close_pending(self) -> None:
        for upstream, reset in self._leaving:
            if reset:
                self._dialer.reset(upstream)
            else:
                self._dialer.close(upstream)
        self._leaving.clear()
        for client in self._closing:
            close(client)
        self._closing.clear()
