"""A backend process: hundreds of real TCP servers, each on a port it bound itself and keeps.

All listeners and connections of the process share one epoll descriptor, which is registered with
the asyncio loop (an epoll descriptor is itself pollable), so that stock asyncio and uvloop drive
the same code and every errno is seen here. Ports are taken by binding, never by probing: a
candidate that somebody else holds is a lost race, counted, and the next candidate is tried.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
from collections import Counter, deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import linger_zero
from simulator.kernel.timer import Timer
from simulator.live.flapping import Flapping, may_listen_again, stop_listening
from simulator.live.idling import IdleLimit
from simulator.live.listening import NoPortLeft, PortTaker
from simulator.live.port_holder import find_holder
from simulator.live.role import Role
from simulator.live.wire import ANSWER, ANSWER_MAGIC, FLAG_CLOSE, REQUEST, REQUEST_MAGIC

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable, Collection

    from simulator.live.channel import Message
    from simulator.live.settings import BackendRole
    from simulator.live.shared_ports import Share
    from simulator.ports.lease import Lease

_ACCEPTS_PER_WAKEUP: Final = 128
_EVENTS_PER_WAKEUP: Final = 512
_READ_BYTES: Final = 1 << 16
BODY: Final = bytes(1 << 16)
_ACCEPT_PAUSE_NS: Final = 50_000_000


def _lease_row(lease: Lease) -> list[int | str]:
    """A lease as it travels: backend, address, port, monotonic beginning, lost races."""
    return [lease.backend, lease.address, lease.port, lease.from_ns, lease.lost_races]


class Connection:
    """One accepted connection: what has been read, what is still to be written."""

    __slots__ = (
        "answering",
        "backend",
        "body_left",
        "buffer",
        "eof",
        "forgotten",
        "head",
        "out_left",
    )

    def __init__(self, backend: int) -> None:
        self.backend = backend
        self.buffer = b""
        self.body_left = 0  # bytes of the current request's body still to come
        self.head: tuple[int, int, int] | None = None  # answer bytes, flags, service ns
        self.answering = False  # a request is being served; later ones wait in the buffer
        self.out_left = 0  # bytes of the answer's body still to be sent
        self.forgotten = False  # its end was read, and it was not closed
        self.eof = False


class BackendServers(Role):
    """The backends of one process."""

    kind = "backend"
    #: Whether requests are served by a subclass: limits, faults, streams (`backend_service`).
    is_special = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: BackendRole,
        share: Share | None = None,
    ) -> None:
        super().__init__(loop, sock, index)
        self._settings = settings
        self._share = share
        self._epoll = select.epoll()
        self._timer = Timer()
        self._taker = PortTaker(settings)
        self._address = dict(zip(settings.ids, settings.addresses, strict=True))
        self._holding: dict[int, socket.socket] = {}  # by backend: what keeps its port
        self._robbed: set[int] = set()  # backends whose one port somebody else has
        self._listeners: dict[int, tuple[socket.socket, int]] = {}
        self._connections: dict[int, Connection] = {}
        self._due: list[tuple[int, int, int]] = []  # service ends: (time, serial, descriptor)
        self._serial = 0
        self._serial_of: dict[int, int] = {}
        self._accept_again: deque[tuple[int, int]] = deque()  # (time, listener)
        self.leases: list[Lease] = []
        limit_ns = settings.idle_timeout_ns
        self._idle = IdleLimit(limit_ns) if limit_ns else None
        self._flapping = Flapping(loop, settings, self._flap) if settings.flapping else None
        self.idled = 0
        self.accepted = 0
        self.answered = 0
        self.dropped = 0
        self.accept_errors: Counter[int] = Counter()

    async def prepare(self) -> Message:
        """Bind every listener, keep it, and say which port each backend got."""
        if self._share is not None:
            self._adopt(*self._share)
        else:
            for backend in self._settings.ids:
                if backend not in self._settings.absent:
                    self._open_listener(backend)
        for backend in self._settings.hanging:
            if backend in self._holding:
                self._silence(self._holding[backend])  # the kernel still completes connections
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)
        self.loop.add_reader(self._epoll.fileno(), self._wake)
        return {"leases": [_lease_row(one) for one in self.leases]}

    def _open_listener(self, backend: int, resting: Collection[int] = ()) -> Lease:
        """Take a port and listen on it.

        Raises:
            NoPortLeft: there is none.
        """
        listener, lease = self._taker.take(backend, self._address[backend], resting)
        self.leases.append(lease)
        self._hold(backend, listener)
        return lease

    def _adopt(self, listener: socket.socket, lease: Lease) -> None:
        """Serve a port that several processes share; the first of them answers for its lease."""
        if self._settings.share == 0:
            self.leases.append(lease)
        self._hold(lease.backend, listener)

    def _hold(self, backend: int, listener: socket.socket) -> None:
        self._holding[backend] = listener
        if backend not in self._settings.refusing:  # without listen() the kernel refuses
            if backend in self._settings.flapping:
                may_listen_again(listener)
            self._listen(listener, backend)

    def _listen(self, listener: socket.socket, backend: int) -> None:
        listener.listen(self._settings.backlog)
        self._listeners[listener.fileno()] = (listener, backend)
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    # Coming and going.

    def on_start(self) -> None:
        """Who flaps does so from now on."""
        if self._flapping is not None:
            self._flapping.begin(self.t0_ns)

    def _flap(self, backend: int, listens: bool) -> None:
        """Listen on the port that was kept, or cease to; what was accepted goes on."""
        listener = self._holding[backend]
        if listens:
            self._listen(listener, backend)
        else:
            if listener.fileno() in self._listeners:
                self._accept(listener.fileno())  # who has queued up is still served
            # At once: whoever queues up in between is reset.
            stop_listening(listener)
            self._silence(listener)
        at_ns = monotonic_ns() - self.t0_ns
        self.channel.send({"is": "flap", "backend": backend, "listens": listens, "t_ns": at_ns})

    def on_message(self, head: Message) -> None:
        """A backend leaves, or comes back."""
        if head.get("do") == "leave":
            self.channel.send(self._leave(int(head["backend"]), str(head["how"])))
        elif head.get("do") == "back":
            self.channel.send(self._back(int(head["backend"]), head["resting"]))

    def _leave(self, backend: int, how: str) -> Message:
        """Let a backend go; connections are left to their end (drain), cut (crash) or ignored."""
        listener = self._holding[backend]
        if how == "drain" and listener.fileno() in self._listeners:
            self._accept(listener.fileno())  # who has queued up is still served
        mine = [fd for fd, one in self._connections.items() if one.backend == backend]
        self._silence(listener)
        if how == "hang":
            self._ignore(mine)
        else:
            self._give_back(backend)
        if how == "crash":
            self._cut(mine)
        if how != "drain":
            self._silenced(backend)
        now = monotonic_ns()
        released = None if how == "hang" else now
        found = {"is": "left", "backend": backend, "how": how, "open": len(mine)}
        return {**found, "t_ns": now, "released_ns": released}

    def _back(self, backend: int, resting: Collection[int]) -> Message:
        """Take a port again; one that hung gives its old port back first."""
        released = None
        if backend in self._holding:
            self._cut([fd for fd, one in self._connections.items() if one.backend == backend])
            self._give_back(backend)
            released = monotonic_ns()
        head: Message = {"is": "back", "backend": backend, "released_ns": released}
        try:
            lease = self._open_listener(backend, resting)
        except NoPortLeft:
            return {**head, **self._held_by(backend), "lease": None, "t_ns": monotonic_ns()}
        self._robbed.discard(backend)
        return {**head, "lease": _lease_row(lease), "t_ns": lease.from_ns}

    def _held_by(self, backend: int) -> Message:
        """Who has the port of a backend that can have no other; looked up once for each absence."""
        return self._held_as(backend, find_holder)

    def _held_as(self, backend: int, find: Callable[[str, int], Message | None]) -> Message:
        if self._settings.allocator != "fixed" or backend in self._robbed:
            return {}
        address, port = self._address[backend], self._settings.first + backend
        holder = find(address, port)
        if holder is None:
            return {}  # it has just let go
        self._robbed.add(backend)
        return {"address": address, "port": port, "holder": holder}

    def _silence(self, listener: socket.socket) -> None:
        """Accept no more from it."""
        descriptor = listener.fileno()
        if self._listeners.pop(descriptor, None) is not None:
            with contextlib.suppress(FileNotFoundError):  # it may rest, and be out already
                self._epoll.unregister(descriptor)

    def _give_back(self, backend: int) -> None:
        self._holding.pop(backend).close()

    def _ignore(self, descriptors: list[int]) -> None:
        """Read and answer nothing more on connections that stay open."""
        for descriptor in descriptors:
            self._serial_of.pop(descriptor, None)
            self._epoll.modify(descriptor, 0)
            if self._idle is not None:
                self._idle.works(descriptor)  # who hangs does not close what is idle either

    def _cut(self, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            linger_zero(descriptor)
            self._close(descriptor)

    def counters(self) -> Message:
        """Cumulative counters of all backends of this process."""
        return {
            "accepted": self.accepted,
            "active": len(self._connections),
            "answered": self.answered,
            "dropped": self.dropped,
            "idled": self.idled,
            "accept_errors": {
                errno.errorcode.get(code, str(code)): n for code, n in self.accept_errors.items()
            },
            "fds": len(self._connections) + len(self._holding),
        }

    def on_quit(self) -> Message:
        """Close everything; listeners give their ports back now."""
        if self._flapping is not None:
            self._flapping.stop()
        self.loop.remove_reader(self._epoll.fileno())
        for descriptor in self._connections:
            os.close(descriptor)
        self._connections.clear()
        for listener in self._holding.values():
            listener.close()
        self._epoll.close()
        self._timer.close()
        return {"released_ns": monotonic_ns()}

    # The reactor.

    def _wake(self) -> None:
        connections = self._connections
        for descriptor, events in self._epoll.poll(0, _EVENTS_PER_WAKEUP):
            if descriptor in connections:
                if events & select.EPOLLOUT:
                    self._write(descriptor)
                if events & ~select.EPOLLOUT and descriptor in connections:
                    self._read(descriptor)
            elif descriptor in self._listeners:
                self._accept(descriptor)
            else:
                self._timer.acknowledge()
        self._serve_due()

    def _accept(self, descriptor: int) -> None:
        listener, backend = self._listeners[descriptor]
        pace = self._settings.accept_every_ns
        for _ in range(1 if pace else _ACCEPTS_PER_WAKEUP):
            try:
                accepted, _peer = listener._accept()  # type: ignore[attr-defined] # noqa: SLF001
            except BlockingIOError:
                return
            except OSError as error:
                code = error.errno or 0
                self.accept_errors[code] += 1
                if code in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._rest(descriptor, _ACCEPT_PAUSE_NS)
                    return
                continue
            os.set_blocking(accepted, False)
            self.accepted += 1
            self._take_in(accepted, backend)
            if self._idle is not None:
                self._rests(accepted)
        if pace:
            self._rest(descriptor, pace)

    def _take_in(self, accepted: int, backend: int) -> None:
        """Begin with a connection that was accepted."""
        self._connections[accepted] = Connection(backend)
        self._epoll.register(accepted, select.EPOLLIN)

    def _rest(self, descriptor: int, for_ns: int) -> None:
        """Leave a listener alone for a while, so that a full level-triggered queue cannot spin."""
        self._epoll.unregister(descriptor)
        self._accept_again.append((monotonic_ns() + for_ns, descriptor))
        self._arm()

    def _read(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._drop(descriptor)
            return
        if not data:
            connection.eof = True
            if connection.answering or connection.out_left:
                self._epoll.modify(descriptor, 0)  # a half-closed client still gets its answer
            else:
                self._at_end(descriptor)
            return
        if self._idle is not None:
            self._idle.works(descriptor)
        connection.buffer = connection.buffer + data if connection.buffer else data
        if not connection.answering:
            self._parse(descriptor, connection)

    def _parse(self, descriptor: int, connection: Connection) -> None:
        """Take the next whole request out of the buffer, if there is one."""
        buffer = connection.buffer
        if connection.head is None:
            if len(buffer) < REQUEST.size:
                return
            magic, body, answer, flags, service_ns = REQUEST.unpack_from(buffer)
            if magic != REQUEST_MAGIC:
                self._drop(descriptor)
                return
            connection.head = (answer, flags, service_ns)
            connection.body_left = body
            buffer = buffer[REQUEST.size :]
        taken = min(connection.body_left, len(buffer))
        connection.body_left -= taken
        connection.buffer = buffer[taken:]
        if connection.body_left:
            return
        connection.answering = True
        service_ns = connection.head[2]
        if self.is_special:
            self._begin_service(descriptor, connection, service_ns)
        elif service_ns:
            self._serial += 1
            self._serial_of[descriptor] = self._serial
            heappush(self._due, (monotonic_ns() + service_ns, self._serial, descriptor))
            self._arm()
        else:
            self._answer(descriptor, connection)

    def _answer(self, descriptor: int, connection: Connection) -> None:
        assert connection.head is not None
        answer_bytes = connection.head[0]
        head = ANSWER.pack(ANSWER_MAGIC, connection.backend, answer_bytes)
        connection.out_left = answer_bytes
        first = head + BODY[: min(answer_bytes, len(BODY) - len(head))]
        try:
            sent = os.write(descriptor, first)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(descriptor)
            return
        if sent < len(head):
            # Twelve bytes did not fit: only a peer that never reads gets here.
            self._drop(descriptor)
            return
        connection.out_left -= sent - len(head)
        if connection.out_left:
            self._write(descriptor)
        else:
            self._answered(descriptor, connection)

    def _write(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        while connection.out_left:
            try:
                sent = os.write(descriptor, BODY[: connection.out_left])
            except BlockingIOError:
                wanted = select.EPOLLOUT if connection.eof else select.EPOLLIN | select.EPOLLOUT
                self._epoll.modify(descriptor, wanted)
                return
            except OSError:
                self._drop(descriptor)
                return
            connection.out_left -= sent
        if not connection.eof:
            self._epoll.modify(descriptor, select.EPOLLIN)
        if connection.answering:
            self._answered(descriptor, connection)

    def _answered(self, descriptor: int, connection: Connection) -> None:
        assert connection.head is not None
        self.answered += 1
        flags = connection.head[1]
        connection.head = None
        connection.answering = False
        if flags & FLAG_CLOSE:
            self._close(descriptor)
        elif connection.eof and not connection.buffer:
            self._at_end(descriptor)
        elif connection.buffer:
            self._parse(descriptor, connection)
        elif self._idle is not None:
            self._rests(descriptor)

    def _rests(self, descriptor: int) -> None:
        """A connection is idle from now on; after `idle_timeout` it is closed."""
        assert self._idle is not None, "only with an idle timeout"
        is_first = self._idle.next_ns is None
        self._idle.rests(descriptor, monotonic_ns())
        if is_first:
            self._arm()

    def _at_end(self, descriptor: int) -> None:
        """The other side has closed, and all that it asked for is answered."""
        self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        if self._idle is not None:
            self._idle.works(descriptor)
        self._serial_of.pop(descriptor, None)
        del self._connections[descriptor]
        os.close(descriptor)  # epoll forgets a descriptor when its last reference is closed

    def _drop(self, descriptor: int) -> None:
        self.dropped += 1
        self._close(descriptor)

    # What a subclass does otherwise; nothing here, since `is_special` is asked first.

    def _begin_service(self, descriptor: int, connection: Connection, service_ns: int) -> None:
        """A request was read whole."""

    def _service_due(self, serial: int, descriptor: int) -> None:
        """The next step of a request's answer is due."""

    def _silenced(self, backend: int) -> None:
        """A backend crashed or hangs."""

    # Time.

    def _serve_due(self) -> None:
        now = monotonic_ns()
        due = self._due
        while due and due[0][0] <= now:
            _, serial, descriptor = heappop(due)
            if self.is_special:
                self._service_due(serial, descriptor)
            elif self._serial_of.get(descriptor) == serial:
                del self._serial_of[descriptor]
                self._answer(descriptor, self._connections[descriptor])
        again = self._accept_again
        while again and again[0][0] <= now:
            _, descriptor = again.popleft()
            if descriptor not in self._listeners:
                continue  # its backend left meanwhile
            with contextlib.suppress(FileExistsError):
                self._epoll.register(descriptor, select.EPOLLIN)
        for descriptor in self._idle.over(now) if self._idle is not None else ():
            self.idled += 1
            self._close(descriptor)  # a request that is on its way now is answered by a reset
        self._arm()

    def _arm(self) -> None:
        times = [queue[0][0] for queue in (self._due, self._accept_again) if queue]
        if self._idle is not None and self._idle.next_ns is not None:
            times.append(self._idle.next_ns)
        self._timer.set(min(times) if times else None)
