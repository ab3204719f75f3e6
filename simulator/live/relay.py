"""The own balancer's heart: accepts clients, picks a backend, dials it, and joins the two.

How bytes move and connections end is `pairs.py`. Here is promised, each with its test:

1. A backend that cannot be reached is left out and another one tried, `retries` times; what the
   client sent meanwhile goes to the one that answers. When nobody does, the client is reset and
   the reason written down.
2. A connection silent for `idle_timeout` is closed; a connect that takes longer than
   `connect_timeout` is given up.
3. Running out of descriptors or memory pauses accepting for a moment, is counted, and passes.

Two observations save a third of the calls. On loopback, and whenever accept queues are not full, a
non-blocking connect() has in fact connected by the time it returns: the first write finds out, and
no event needs to be waited for. And clients mostly speak first, so their request is usually there
when they are accepted.
"""

from __future__ import annotations

import errno
from _socket import IPPROTO_TCP, TCP_CONGESTION
from array import array
from ipaddress import IPv4Address
from os import read, set_blocking, write
from typing import TYPE_CHECKING, Final

from simulator.balancing.membership import Backend, Insert, Membership, Remove
from simulator.clock import monotonic_ns
from simulator.live.pairs import (
    CONNECTING,
    EOF,
    LIVE,
    NOBODY,
    PROMPT,
    READ_TO_THE_END,
    UPSTREAM,
    WATCHED,
    WATCHED_OUT,
    Pairs,
)
from simulator.live.reactor import EPOLLIN, READS, READS_AND_WRITES
from simulator.live.relay_log import RelaySettings, RelayStatistics
from simulator.live.wheel import ENDED, Wheel
from simulator.records import OUT_OF_DESCRIPTORS, OUT_OF_MEMORY, Call, Ending, Hop

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable, Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.balancing.policies.policy import Policy
    from simulator.live.dialer import Dialer

__all__ = ["Relay", "RelaySettings", "RelayStatistics"]

_ACCEPTS_PER_WAKEUP: Final = 128
_ACCEPT_PAUSE_S: Final = 0.075
_ADDRESSES_KEPT: Final = 4096
_OUT_OF_RESOURCES: Final = OUT_OF_DESCRIPTORS | OUT_OF_MEMORY
#: Not a failed connect: the backend took the connection and ended it.
_RESET_ERRNOS: Final = frozenset({errno.ECONNRESET, errno.EPIPE})


class Relay(Pairs):
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

    __slots__ = (
        "_accept_due",
        "_accept_timer",
        "_accepted",
        "_accepted_ns",
        "_accepting",
        "_address",
        "_connect_timeouts",
        "_connecting",
        "_destination",
        "_idle",
        "_idle_closed",
        "_listener",
        "_loop",
        "_membership",
        "_number_of",
        "_pick",
        "_picks",
        "_refused",
        "_retries",
        "_settings",
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
        super().__init__(loop, dialer, load, settings)
        # What it accepts inherits this. There is no queue on loopback that pacing could spare, and
        # BBR, the default of some machines, paces by timers that cost more than the bytes.
        listener.setsockopt(IPPROTO_TCP, TCP_CONGESTION, b"reno")
        self.t0_ns = t0_ns
        self._loop = loop
        self._listener = listener
        self._pick: Callable[[Sequence[int], Load, Collection[int]], int] = policy.pick
        self._settings = settings
        self._reactor.after_batch(self._after_batch)
        self._membership = Membership()
        self._destination: dict[int, int] = {}
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
        # Of a client, by descriptor.
        self._address = array("Q")  # IPv4 address as a number, 16 bits of port
        self._accepted_ns = array("q")
        self._number_of: dict[str, int] = {}  # addresses seen, shifted for the port
        self._accept_due = False
        self._accepting = False
        self._accept_timer: asyncio.TimerHandle | None = None
        self._accepted = self._retries = self._refused = 0
        self._idle_closed = self._connect_timeouts = 0
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
        if self._accepting:
            while self._accept():
                pass
            self._accepting = False
            self._reactor.remove(self._listener.fileno())
            self._close_pending()
        if self._accept_timer is not None:
            self._accept_timer.cancel()
            self._accept_timer = None
        self._listener.close()

    @property
    def idle(self) -> bool:
        """Whether no connection is open."""
        return not self._active

    def abort(self) -> None:
        """End every connection by RST."""
        clients = [fd for fd, flags in enumerate(self._flags) if flags & (LIVE | UPSTREAM) == LIVE]
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
            bytes_down=self._bytes[UPSTREAM],
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
        self._flags[client] = LIVE | PROMPT
        self._peer[client] = NOBODY
        self._active_ns[client] = self._accepted_ns[client] = now_ns
        host, port = address
        self._address[client] = (self._number_of.get(host) or self._new_number(host)) | port
        self._accepted += 1
        self._active += 1
        self._idle.add(client)
        self._connect(client, b"")

    def _grow(self, fd: int) -> None:
        super()._grow(fd)
        more = bytes(8 * (len(self._flags) - len(self._address)))
        self._address.frombytes(more)
        self._accepted_ns.frombytes(more)

    def _client_address(self, client: int) -> tuple[str, int]:
        """Address and port that a client came from."""
        number, port = divmod(self._address[client], 1 << 16)
        return str(IPv4Address(number)), port

    def _new_number(self, host: str) -> int:
        """An address seen for the first time, or for the first time since many others."""
        if len(self._number_of) >= _ADDRESSES_KEPT:
            self._number_of.clear()
        number = self._number_of[host] = int(IPv4Address(host)) << 16
        return number

    # Connecting to a backend.

    def _connect(
        self,
        client: int,
        unsent: bytes,
        failure: tuple[int, int, int] = (Call.PICK, Ending.NO_BACKEND, NOBODY),
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
            backend = self._pick(self._membership.eligible, self._load, tried)
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
        self._flags[upstream] = LIVE | UPSTREAM | CONNECTING
        self._peer[upstream] = client
        self._peer[client] = upstream
        self._backend[upstream] = backend
        self._active_ns[upstream] = dialer.last_end_ns
        self._load.opened(backend)
        self._first_write(client, upstream, unsent)

    def _first_write(self, client: int, upstream: int, unsent: bytes) -> None:
        """Write what the client has sent; the answer tells whether the connect is through."""
        data = unsent
        if not data and not self._flags[client] & EOF:
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
                    self._flags[client] |= EOF
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
        flags[upstream] = LIVE | UPSTREAM
        self._reactor.watch(upstream, READS)
        if sent < len(data):
            self._hold_back(upstream, data[sent:])
        has_ended = flags[client] & EOF
        if not flags[client] & WATCHED:
            flags[client] |= WATCHED
            self._reactor.watch(client, READS)
        elif not has_ended:
            # A retry: what came meanwhile was announced to a deaf ear.
            self._on_event(client, READ_TO_THE_END)
        if has_ended and sent == len(data):
            self._pass_eof(client)

    def _wait_for_connect(self, client: int, upstream: int, data: bytes) -> None:
        self._log.begun(self._dialer, self.t0_ns, upstream)
        if data:
            self._keep(upstream, data)
        self._flags[upstream] |= WATCHED_OUT
        self._reactor.watch(upstream, READS_AND_WRITES)
        self._connecting.add(upstream)
        if not self._flags[client] & WATCHED:
            self._flags[client] |= WATCHED
            self._reactor.watch(client, READS)

    def _on_connected(self, upstream: int) -> None:
        self._log.ended(upstream, self._backend[upstream], Call.CONNECT, 0)
        self._flags[upstream] &= ~CONNECTING
        client = self._peer[upstream]
        if self._waiting[upstream]:
            self._flush(upstream)
        elif self._flags[client] & EOF:
            self._pass_eof(client)
        else:
            self._on_event(client, READ_TO_THE_END)

    def _on_connect_error(self, upstream: int, code: int, unsent: bytes) -> None:
        """A connect that was on its way has failed (or succeeded, and was reset at once)."""
        client = self._peer[upstream]
        if code in _RESET_ERRNOS:
            self._log.ended(upstream, self._backend[upstream], Call.CONNECT, 0)
            self._flags[upstream] &= ~CONNECTING
            self._on_reset(upstream)
            return
        backend = self._backend[upstream]
        self._log.ended(upstream, backend, Call.CONNECT, code)
        self._flags[upstream] &= ~CONNECTING
        self._drop_upstream(upstream, reset=False)
        self._peer[client] = NOBODY
        self._tried.setdefault(client, []).append(backend)
        self._connect(client, unsent, (Call.CONNECT, code, backend))

    def _on_connect_timeout(self, upstream: int) -> None:
        self._connect_timeouts += 1
        self._on_connect_error(upstream, Ending.TIMEOUT, self._unsent_to(upstream))

    def _refuse(self, client: int, failure: tuple[int, int, int]) -> None:
        """Nobody can serve this client: tell it by RST and write down why."""
        call, error, backend = failure
        self._log.refused(
            (monotonic_ns() - self.t0_ns, self._accepted_ns[client] - self.t0_ns),
            self._client_address(client),
            (call, error, Hop.BALANCER_BACKEND, backend),
        )
        self._refused += 1
        self._end(client, reset_client=True)

    # Silence.

    def _dialed_ns(self, upstream: int) -> int:
        """When a connect still on its way was begun."""
        return self._active_ns[upstream] if self._flags[upstream] & CONNECTING else ENDED

    def _last_active_ns(self, client: int) -> int:
        if self._flags[client] & (LIVE | UPSTREAM) != LIVE:
            return ENDED
        upstream = self._peer[client]
        if upstream < 0:
            return self._active_ns[client]
        return max(self._active_ns[client], self._active_ns[upstream])

    def _on_idle(self, client: int) -> None:
        self._idle_closed += 1
        self._end(client)
