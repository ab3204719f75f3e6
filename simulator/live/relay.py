"""The own balancer's heart: accepts clients, picks a backend, and moves bytes both ways.

One connection is two descriptors, *client* and *upstream*, each other's peer. All state stands in
lists indexed by descriptor; there is no task, transport or object for a connection. Each side is
registered with epoll once, edge-triggered, and read until the kernel has no more.

What is promised, each with its test:

1. Bytes arrive unchanged, in order, once. A direction holds at most `buffer_bytes`: what the other
   side would not take waits here, and its source is not read until it is gone.
2. FIN is passed on by FIN when everything before it is delivered; the other direction goes on.
   Both sides ended: both are closed. RST is passed on as RST.
3. A backend that cannot be reached is left out and another one tried, `retries` times; what the
   client sent meanwhile goes to the one that answers. When nobody does, the client is reset and
   the reason written down.
4. Running out of descriptors or memory pauses accepting for a moment, is counted, and passes.

Two observations save a third of the calls. On loopback, and whenever accept queues are not full, a
non-blocking connect() has in fact connected by the time it returns: the first write finds out, and
no event needs to be waited for. And clients mostly speak first, so their request is usually there
when they are accepted.
"""

from __future__ import annotations

import errno
from os import close, read, set_blocking, write
from typing import TYPE_CHECKING, Final

from simulator.balancing.membership import Backend, Insert, Membership, Remove
from simulator.clock import monotonic_ns
from simulator.kernel.sockets import linger_zero, shutdown_write
from simulator.live.reactor import (
    EPOLLERR,
    EPOLLHUP,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDHUP,
    READS,
    READS_AND_WRITES,
    Reactor,
)
from simulator.live.relay_log import RelayLog, RelaySettings, RelayStatistics
from simulator.live.wheel import ENDED, Wheel
from simulator.records import OUT_OF_DESCRIPTORS, OUT_OF_MEMORY, Call, Ending, Hop

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.balancing.load import Load
    from simulator.balancing.policies.policy import Policy
    from simulator.live.dialer import Dialer

__all__ = ["Relay", "RelaySettings", "RelayStatistics"]

_NOBODY: Final = -1
_ACCEPTS_PER_WAKEUP: Final = 128
_READ_BYTES: Final = 65_536
#: A first read of this size comes from Python's own allocator; a larger one costs twice as much.
_SMALL_READ_BYTES: Final = 448
#: A side that always has more to read gives way to the others after so many reads.
_READS_PER_TURN: Final = range(16)
_ACCEPT_PAUSE_S: Final = 0.075
_OUT_OF_RESOURCES: Final = OUT_OF_DESCRIPTORS | OUT_OF_MEMORY
#: Not a failed connect: the backend took the connection and ended it.
_RESET_ERRNOS: Final = frozenset({errno.ECONNRESET, errno.EPIPE})
_HUNG_UP: Final = EPOLLRDHUP | EPOLLHUP | EPOLLERR
_READABLE: Final = EPOLLIN | _HUNG_UP
_FATAL: Final = EPOLLERR | EPOLLHUP
_READ_TO_THE_END: Final = EPOLLIN | EPOLLRDHUP

# What is known of a descriptor.
_LIVE: Final = 1
_UPSTREAM: Final = 2  # also the shift by which bytes are counted up or down
_CONNECTING: Final = 4
_EOF: Final = 8  # nothing more will be read from it
_WATCHED: Final = 16  # a client registered with epoll
_WATCHED_OUT: Final = 32  # registered for writing too
_PROMPT: Final = 64  # TCP_NODELAY is set
_NOT_PLAIN: Final = _LIVE | _CONNECTING | _EOF
_RESET: Final = 128  # it was reset, which the kernel tells only once: its end is no FIN


class Relay:
    """Relays what a listener accepts to the backends it is told of.

    Args:
        loop: the event loop it lives in.
        listener: bound, listening, non-blocking socket (`kernel.sockets.open_listener`); the relay
            closes it. Workers that share a port each bring one with SO_REUSEPORT.
        dialer: opens connections to backends; the relay closes what it holds.
        policy: picks a backend.
        load: what the policy compares (`policies.select.select_load`).
        settings: timeouts, retries, buffer.
        t0_ns: monotonic time from which the moments in the records count.
    """

    # Slots, since an object with more than 30 attributes would be read by slower means.
    __slots__ = (
        "_accept_due",
        "_accept_timer",
        "_accepted",
        "_accepted_ns",
        "_accepting",
        "_active",
        "_active_ns",
        "_address",
        "_backend",
        "_buffered",
        "_bytes",
        "_chunk",
        "_closing",
        "_connect_timeouts",
        "_connecting",
        "_destination",
        "_dialer",
        "_flags",
        "_idle",
        "_idle_closed",
        "_leaving",
        "_listener",
        "_load",
        "_log",
        "_loop",
        "_membership",
        "_peer",
        "_picks",
        "_policy",
        "_reactor",
        "_read_size",
        "_refused",
        "_resets",
        "_retries",
        "_settings",
        "_small_chunk",
        "_tried",
        "_waiting",
        "t0_ns",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        dialer: Dialer,
        policy: Policy,
        load: Load,
        settings: RelaySettings,
        t0_ns: int = 0,
    ) -> None:
        self.t0_ns = t0_ns
        self._loop = loop
        self._listener = listener
        self._dialer = dialer
        self._policy = policy
        self._load = load
        self._settings = settings
        self._chunk = min(_READ_BYTES, settings.buffer_bytes)
        self._small_chunk = min(_SMALL_READ_BYTES, settings.buffer_bytes)
        self._read_size: list[int] = []  # by descriptor: small until once that was too little
        self._reactor = Reactor(loop, self._on_event)
        self._reactor.after_batch(self._after_batch)
        self._membership = Membership()
        self._destination: dict[int, int] = {}
        self._log = RelayLog()
        self._idle = Wheel(
            loop,
            settings.idle_timeout_ns,
            last_active=self._last_active_ns,
            expired=self._on_idle,
            after_turn=self._after_batch,
        )
        self._connecting = Wheel(
            loop,
            settings.connect_timeout_ns,
            last_active=self._dialed_ns,
            expired=self._on_connect_timeout,
            after_turn=self._after_batch,
        )
        # By descriptor; grown as numbers come up.
        self._flags: list[int] = []
        self._peer: list[int] = []
        self._waiting: list[bytes] = []  # what could not be written to this descriptor yet
        self._active_ns: list[int] = []
        self._backend: list[int] = []  # of an upstream
        self._address: list[tuple[str, int]] = []  # of a client
        self._accepted_ns: list[int] = []
        self._tried: dict[int, list[int]] = {}  # by client: backends that could not be reached
        self._closing: list[int] = []  # clients to be closed after this batch
        self._leaving: list[tuple[int, bool]] = []  # upstreams, and whether by RST
        self._accept_due = False
        self._accepting = False
        self._accept_timer: asyncio.TimerHandle | None = None
        self._accepted = self._active = self._retries = self._refused = 0
        self._idle_closed = self._connect_timeouts = self._resets = 0
        self._buffered = 0
        self._bytes = [0, 0, 0]  # by _UPSTREAM: from clients, -, from backends
        self._picks: list[int] = []

    # What its owner calls.

    def insert(self, backend_id: int, address: str, port: int) -> None:
        """A backend may be picked from now on; one that is known moves to this endpoint."""
        backend = Backend(backend_id=backend_id, address=address, port=port)
        self._membership.apply(Insert(backend=backend))
        self._load.insert(backend_id)
        self._destination[backend_id] = self._dialer.destination(address, port)
        if backend_id >= len(self._picks):
            self._picks.extend([0] * (backend_id + 1 - len(self._picks)))

    def remove(self, backend_id: int) -> None:
        """A backend is not picked any more; its connections go on to their own end."""
        self._membership.apply(Remove(backend_id=backend_id))
        self._load.remove(backend_id)

    def start(self) -> None:
        """Accept from now on."""
        self._accepting = True
        self._reactor.add(self._listener.fileno(), EPOLLIN, self._on_listener)

    def stop_accepting(self) -> None:
        """Take what has queued up, then close the listener; open connections go on."""
        if self._accept_timer is not None:
            self._accept_timer.cancel()
            self._accept_timer = None
        if self._accepting:
            while self._accept():
                pass
            self._accepting = False
            self._reactor.remove(self._listener.fileno())
            self._close_pending()
        self._listener.close()

    @property
    def idle(self) -> bool:
        """Whether no connection is open."""
        return not self._active

    def abort(self) -> None:
        """End every connection by RST."""
        clients = [
            fd for fd, flags in enumerate(self._flags) if flags & (_LIVE | _UPSTREAM) == _LIVE
        ]
        for client in clients:
            self._end(client, reset_client=True, reset_upstream=True)
        self._close_pending()

    def close(self) -> None:
        """Stop, abort, and give up the listener and what the dialer holds."""
        self.stop_accepting()
        self.abort()
        self._idle.stop()
        self._connecting.stop()
        self._reactor.close()
        self._dialer.close_all()

    def statistics(self) -> RelayStatistics:
        """Counts so far."""
        return RelayStatistics(
            accepted=self._accepted,
            active=self._active,
            dialed=self._dialer.statistics().dialed,
            dial_errors=dict(self._log.dial_errors),
            retries=self._retries,
            refused=self._refused,
            idle_closed=self._idle_closed,
            connect_timeouts=self._connect_timeouts,
            accept_errors=dict(self._log.accept_errors),
            resets=self._resets,
            bytes_up=self._bytes[0],
            bytes_down=self._bytes[_UPSTREAM],
            picks={backend: n for backend, n in enumerate(self._picks) if n},
            buffered_bytes=self._buffered,
        )

    def take_dials(self) -> bytes:
        """Rows of DIAL_COLUMNS since the last call."""
        return self._log.take_dials()

    def take_refusals(self) -> bytes:
        """Rows of REFUSAL_COLUMNS since the last call."""
        return self._log.take_refusals()

    # Accepting.

    def _on_listener(self, _fd: int, _events: int) -> None:
        # Accepting hands out descriptor numbers: only after the batch (see reactor.py).
        self._accept_due = True

    def _after_batch(self) -> None:
        if self._closing or self._leaving:
            self._close_pending()
        if self._accept_due:
            self._accept_due = False
            self._accept()
            if self._closing or self._leaving:
                self._close_pending()

    def _accept(self) -> bool:
        """Take a share of what has queued up; whether there may be more."""
        accept = self._listener._accept  # type: ignore[attr-defined]  # noqa: SLF001 - no object
        for _ in range(_ACCEPTS_PER_WAKEUP):
            try:
                client, address = accept()
            except BlockingIOError:
                return False
            except OSError as error:
                self._on_accept_error(error.errno or 0)
                return False
            set_blocking(client, False)
            self._admit(client, address)
        return True

    def _on_accept_error(self, code: int) -> None:
        self._log.accept_errors[code] += 1
        if code in _OUT_OF_RESOURCES and self._accept_timer is None:
            # The connection stays queued, so the listener stays readable: without a pause this
            # would be asked, and fail, thousands of times a second.
            self._reactor.modify(self._listener.fileno(), 0)
            self._accept_timer = self._loop.call_later(_ACCEPT_PAUSE_S, self._accept_again)

    def _accept_again(self) -> None:
        self._accept_timer = None
        self._reactor.modify(self._listener.fileno(), EPOLLIN)

    def _admit(self, client: int, address: tuple[str, int]) -> None:
        now_ns = monotonic_ns()
        if client >= len(self._flags):
            self._grow(client)
        # The listener's TCP_NODELAY is inherited.
        self._flags[client] = _LIVE | _PROMPT
        self._peer[client] = _NOBODY
        self._read_size[client] = self._small_chunk
        self._active_ns[client] = self._accepted_ns[client] = now_ns
        self._address[client] = address
        self._accepted += 1
        self._active += 1
        self._idle.add(client)
        self._connect(client, b"")

    def _grow(self, fd: int) -> None:
        more = max(1024, fd + 1 - len(self._flags))
        self._flags.extend([0] * more)
        self._peer.extend([_NOBODY] * more)
        self._waiting.extend([b""] * more)
        self._active_ns.extend([0] * more)
        self._accepted_ns.extend([0] * more)
        self._read_size.extend([self._small_chunk] * more)
        self._backend.extend([_NOBODY] * more)
        self._address.extend([("0.0.0.0", 0)] * more)

    # Connecting to a backend.

    def _connect(
        self,
        client: int,
        unsent: bytes,
        failure: tuple[int, int, int] = (Call.PICK, Ending.NO_BACKEND, _NOBODY),
    ) -> None:
        """Dial backends until one may answer, or give up.

        Args:
            client: whom it is for.
            unsent: what was read from the client for a backend that failed.
            failure: call, error and backend of the attempt before.
        """
        dialer = self._dialer
        tried = self._tried.get(client, ()) if self._tried else ()
        while True:
            # Out of descriptors is out for all backends alike.
            if tried and (len(tried) > self._settings.retries or failure[0] == Call.SOCKET):
                self._refuse(client, failure)
                return
            backend = self._policy.pick(self._membership.eligible, self._load, tried)
            if backend < 0:
                self._refuse(client, failure)
                return
            self._picks[backend] += 1
            if tried:
                self._retries += 1
            upstream = dialer.dial(self._destination[backend])
            if upstream >= 0:
                break
            self._log.dialed(dialer, self.t0_ns, backend)
            failure = (dialer.last_call, dialer.last_error, backend)
            tried = self._tried.setdefault(client, [])
            tried.append(backend)
        if upstream >= len(self._flags):
            self._grow(upstream)
        self._flags[upstream] = _LIVE | _UPSTREAM | _CONNECTING
        self._peer[upstream] = client
        self._peer[client] = upstream
        self._backend[upstream] = backend
        self._read_size[upstream] = self._small_chunk
        self._active_ns[upstream] = dialer.last_end_ns
        self._load.opened(backend)
        self._first_write(client, upstream, unsent)

    def _first_write(self, client: int, upstream: int, unsent: bytes) -> None:
        """Write what the client has sent; the answer tells whether the connect is through."""
        data = unsent
        if not data and not self._flags[client] & _EOF:
            try:
                data = read(client, self._small_chunk)
            except BlockingIOError:
                pass
            except OSError:
                self._log.begun(self._dialer, self.t0_ns, upstream)
                self._on_reset(client)
                return
            else:
                self._bytes[0] += len(data)
                if not data:
                    self._flags[client] |= _EOF
        try:
            # Nothing to write is a question too: the kernel answers EAGAIN until connected.
            sent = write(upstream, data)
        except BlockingIOError:
            self._wait_for_connect(client, upstream, data)
            return
        except OSError as error:
            self._log.begun(self._dialer, self.t0_ns, upstream)
            self._on_connect_error(upstream, error.errno or 0, data)
            return
        self._log.dialed(self._dialer, self.t0_ns, self._backend[upstream])
        flags = self._flags
        flags[upstream] = _LIVE | _UPSTREAM
        self._reactor.watch(upstream, READS)
        if sent < len(data):
            self._hold_back(upstream, data[sent:])
        has_ended = flags[client] & _EOF
        if not flags[client] & _WATCHED:
            flags[client] |= _WATCHED
            self._reactor.watch(client, READS)
        elif not has_ended:
            # A retry: what came meanwhile was announced to a deaf ear.
            self._on_event(client, _READ_TO_THE_END)
        if has_ended and sent == len(data):
            self._pass_eof(client)

    def _wait_for_connect(self, client: int, upstream: int, data: bytes) -> None:
        self._log.begun(self._dialer, self.t0_ns, upstream)
        if data:
            self._keep(upstream, data)
        self._flags[upstream] |= _WATCHED_OUT
        self._reactor.watch(upstream, READS_AND_WRITES)
        self._connecting.add(upstream)
        if not self._flags[client] & _WATCHED:
            self._flags[client] |= _WATCHED
            self._reactor.watch(client, READS)

    def _on_connected(self, upstream: int) -> None:
        self._log.ended(upstream, self._backend[upstream], Call.CONNECT, 0)
        self._flags[upstream] &= ~_CONNECTING
        client = self._peer[upstream]
        if self._waiting[upstream]:
            self._flush(upstream)
        elif self._flags[client] & _EOF:
            self._pass_eof(client)
        else:
            self._on_event(client, _READ_TO_THE_END)

    def _on_connect_error(self, upstream: int, code: int, unsent: bytes) -> None:
        """A connect that was on its way has failed (or succeeded, and was reset at once)."""
        client = self._peer[upstream]
        if code in _RESET_ERRNOS:
            self._log.ended(upstream, self._backend[upstream], Call.CONNECT, 0)
            self._flags[upstream] &= ~_CONNECTING
            self._on_reset(upstream)
            return
        backend = self._backend[upstream]
        self._log.ended(upstream, backend, Call.CONNECT, code)
        self._flags[upstream] &= ~_CONNECTING
        self._drop_upstream(upstream, reset=False)
        self._peer[client] = _NOBODY
        self._tried.setdefault(client, []).append(backend)
        self._connect(client, unsent, (Call.CONNECT, code, backend))

    def _on_connect_timeout(self, upstream: int) -> None:
        self._connect_timeouts += 1
        self._on_connect_error(upstream, Ending.TIMEOUT, self._waiting[upstream])

    def _refuse(self, client: int, failure: tuple[int, int, int]) -> None:
        """Nobody can serve this client: tell it by RST and write down why."""
        call, error, backend = failure
        self._log.refused(
            (monotonic_ns() - self.t0_ns, self._accepted_ns[client] - self.t0_ns),
            self._address[client],
            (call, error, Hop.BALANCER_BACKEND, backend),
        )
        self._refused += 1
        self._end(client, reset_client=True)

    # Moving bytes.

    def _on_event(self, fd: int, events: int) -> None:
        """Read what there is from one side and write it to the other."""
        flags = self._flags
        peer = self._peer[fd]
        flag = flags[fd]
        if (
            flag & _NOT_PLAIN != _LIVE
            or events & EPOLLOUT
            or self._waiting[peer]
            or flags[peer] & _CONNECTING
        ):
            self._on_rare_event(fd, events)
            return
        self._active_ns[fd] = self._reactor.now_ns
        chunk = self._read_size[fd]
        for _ in _READS_PER_TURN:
            try:
                data = read(fd, chunk)
            except BlockingIOError:
                return
            except OSError:
                self._on_reset(fd)
                return
            size = len(data)
            if not size:
                self._on_eof(fd)
                return
            self._bytes[flag & _UPSTREAM] += size
            if not flags[peer] & _PROMPT:
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
            if size == chunk:
                self._read_size[fd] = chunk = self._chunk
            elif not events & _HUNG_UP:
                return
        self._reactor.call_again(fd, _READ_TO_THE_END)

    def _on_rare_event(self, fd: int, events: int) -> None:
        """All but plain reading: dead, connecting, writable again, or not to be read now."""
        flag = self._flags[fd]
        if not flag & _LIVE:
            return  # given up earlier in this batch
        if flag & _CONNECTING:
            if events & _FATAL:
                code = self._dialer.take_error(fd) or errno.ECONNREFUSED
                self._on_connect_error(fd, code, self._waiting[fd])
            elif events & EPOLLOUT:
                self._on_connected(fd)
        elif events & EPOLLOUT:
            if self._waiting[fd]:
                self._flush(fd)
            if events & _READABLE and self._flags[fd] & _LIVE:
                self._on_event(fd, events & ~EPOLLOUT)
        elif events & EPOLLERR:
            # The other side takes nothing now (reading goes on when it does), or there is nothing
            # more. A reset is passed on all the same: it must not wait for a stuck reader.
            self._on_reset(fd)

    def _make_prompt(self, upstream: int) -> None:
        """From the second write on small pieces must not wait for an acknowledgement (Nagle).

        The first never does, and most connections to a backend carry no second one.
        """
        self._flags[upstream] |= _PROMPT
        self._dialer.no_delay(upstream)

    def _hold_back(self, fd: int, data: bytes) -> None:
        """Keep what a side would not take, and wait until it is writable."""
        self._keep(fd, data)
        if not self._flags[fd] & _WATCHED_OUT:
            self._flags[fd] |= _WATCHED_OUT
            self._reactor.modify(fd, READS_AND_WRITES)

    def _keep(self, fd: int, data: bytes) -> None:
        self._waiting[fd] = data
        self._buffered += len(data)

    def _flush(self, fd: int) -> None:
        """Write what has been waiting; when it is gone, read the other side again."""
        data = self._waiting[fd]
        try:
            sent = write(fd, data)
        except BlockingIOError:
            return
        except OSError:
            self._on_write_error(fd)
            return
        self._buffered -= sent
        self._waiting[fd] = data[sent:]
        self._active_ns[fd] = self._reactor.now_ns
        if sent < len(data):
            return
        source = self._peer[fd]
        if self._flags[source] & _EOF:
            self._pass_eof(source)
        else:
            self._on_event(source, _READ_TO_THE_END)

    # Endings.

    def _on_eof(self, fd: int) -> None:
        self._flags[fd] |= _EOF
        # After a reset that was told to a write, reading ends like this too; that is no FIN.
        if not self._flags[fd] & _RESET:
            self._pass_eof(fd)

    def _pass_eof(self, fd: int) -> None:
        """One side has ended: end the other direction likewise, or all if that was the second."""
        peer = self._peer[fd]
        if self._flags[peer] & _EOF:
            self._end(peer if self._flags[fd] & _UPSTREAM else fd)
            return
        try:
            if self._flags[fd] & _UPSTREAM:
                shutdown_write(peer)
            else:
                self._dialer.shutdown(peer)
        except OSError:
            self._on_reset(peer)

    def _on_write_error(self, fd: int) -> None:
        """This side was reset: deliver what it said before, then reset the other."""
        self._buffered -= len(self._waiting[fd])
        self._waiting[fd] = b""
        if not self._flags[fd] & (_EOF | _RESET):
            self._flags[fd] |= _RESET
            self._on_event(fd, _READ_TO_THE_END | EPOLLERR)
        if self._flags[fd] & _LIVE:
            self._on_reset(fd)

    def _on_reset(self, fd: int) -> None:
        """One side is gone: the other one is told in the same way."""
        self._resets += 1
        if self._flags[fd] & _UPSTREAM:
            self._end(self._peer[fd], reset_client=True)
        else:
            self._end(fd, reset_upstream=True)

    def _dialed_ns(self, upstream: int) -> int:
        """When a connect still on its way was begun."""
        return self._active_ns[upstream] if self._flags[upstream] & _CONNECTING else ENDED

    def _last_active_ns(self, client: int) -> int:
        if self._flags[client] & (_LIVE | _UPSTREAM) != _LIVE:
            return ENDED
        upstream = self._peer[client]
        if upstream < 0:
            return self._active_ns[client]
        return max(self._active_ns[client], self._active_ns[upstream])

    def _on_idle(self, client: int) -> None:
        self._idle_closed += 1
        self._end(client)

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
        self._flags[client] = 0
        self._active -= 1
        if reset_client:
            linger_zero(client)
        self._closing.append(client)

    def _drop_upstream(self, upstream: int, *, reset: bool) -> None:
        if self._flags[upstream] & _CONNECTING:
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
