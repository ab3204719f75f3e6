"""The backends of the model: who listens where, and how long a request takes.

What `live/backend.py` and `live/backend_service.py` do with sockets: one service time each, a limit
with a queue in order of arrival, slow and failing backends, answers in paced chunks, and backends
that never answer, whose accept queue the kernel fills all the same.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from simulator.model.connection import GONE, Connection
from simulator.preflight.places import backend_addresses
from simulator.seeds import pure_random, stream_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.model.agenda import Agenda
    from simulator.scenario.schema import Scenario

# What a connect meets.
SERVED: Final = 0
REFUSED: Final = 1
UNANSWERED: Final = 2  # the kernel completes it, and nobody accepts
DROPPED: Final = 3  # the accept queue is full: the SYN gets no answer

# What http says instead of a reset.
_NO_PLACE: Final = 503
_ERROR: Final = 500

# What a backend does.
UP: Final = 0
REFUSING: Final = 1  # it holds its port and does not listen
HANGING: Final = 2
AWAY: Final = 3


class Backend:
    """One backend.

    Attributes:
        number: its id.
        address: where it listens.
        port: its port now, 0 when it has none.
        state: what it does.
        connections: those it has, in the order in which they came.
        queued: connections in its accept queue that nobody takes.
        busy: requests in service, where there is a limit.
        lives: how often it crashed or hung; what it had in service before does not count.
        queue: requests that wait for a slot.
    """

    __slots__ = (
        "address",
        "busy",
        "connections",
        "factor",
        "lives",
        "number",
        "port",
        "queue",
        "queued",
        "state",
    )

    def __init__(self, number: int, address: str, factor: float) -> None:
        self.number = number
        self.address = address
        self.port = 0
        self.state = AWAY
        self.factor = factor
        self.connections: dict[Connection, None] = {}
        self.queued = 0
        self.busy = 0
        self.lives = 0
        self.queue: deque[tuple[Connection, int, int, bool]] = deque()


class Backends:
    """All backends, and the requests they serve.

    Args:
        scenario: whose.
        agenda: where service ends are put.

    Attributes:
        all: by id.
        counts: accepted, answered, and cut for silence, for `roles.jsonl`.
        on_answer: told of each answer.
        on_chunk: told of answers that come in chunks, and until when the chunk or chunks will do.
        on_reset: told of each connection that a backend resets.
        on_silence: told of each connection whose answer will not come any more, and when its last
            bytes moved.
    """

    def __init__(self, scenario: Scenario, agenda: Agenda) -> None:
        backends = scenario.backends
        self._agenda = agenda
        faults = backends.faults
        slow = backends.count - faults.slow
        self.all = [
            Backend(number, address, faults.slow_factor if number >= slow else 1.0)
            for number, address in enumerate(backend_addresses(scenario))
        ]
        self._refusing = backends.refusing
        self._hanging = range(backends.refusing, backends.refusing + faults.hanging)
        self._limit = backends.concurrency or 0
        self._line = backends.queue
        self._chunk_ns = backends.stream.every if backends.stream is not None else 0
        self._is_http = backends.kind == "http"
        self._error_rate = faults.error_rate
        self._room = min(backends.backlog, scenario.kernel.somaxconn) + 1
        self._is_plain = not (self._limit or faults.error_rate or faults.slow)
        self._serial = 0
        self._processes = min(backends.processes, backends.count)
        seed = stream_key(scenario.seed, "listeners") >> 65
        self._draws = [
            pure_random(seed, "faults", index).random for index in range(self._processes)
        ]
        self.counts = {"accepted": 0, "answered": 0, "idled": 0}
        if self._line is not None:
            self.counts["turned_away"] = 0
        self.on_answer: Callable[[Connection, int], None]
        self.on_chunk: Callable[[Connection, int], None]
        self.on_reset: Callable[[Connection, int], None]
        self.on_silence: Callable[[Connection, int], None]

    def listens(self, backend: Backend, port: int) -> None:
        """A backend has taken a port."""
        backend.port = port
        backend.queued = 0
        if backend.number < self._refusing:
            backend.state = REFUSING
        else:
            backend.state = HANGING if backend.number in self._hanging else UP

    def connect(self, backend: Backend | None, connection: Connection) -> int:
        """A connect arrives where this backend is, or where nobody is; what it meets."""
        if backend is None or backend.state == REFUSING:
            return REFUSED
        if backend.state == HANGING:
            if backend.queued >= self._room:
                return DROPPED
            backend.queued += 1
            backend.connections[connection] = None
            connection.server = backend
            return UNANSWERED
        backend.connections[connection] = None
        connection.server = backend
        self.counts["accepted"] += 1
        return SERVED

    def check(self, backend: Backend | None) -> int:
        """What a connect meets that is closed at once, as health checks are."""
        if backend is None or backend.state == REFUSING:
            return REFUSED
        if backend.state == HANGING:
            if backend.queued >= self._room:
                return DROPPED
            backend.queued += 1  # nobody takes it out, closed or not
            return UNANSWERED
        self.counts["accepted"] += 1
        return SERVED

    def request(
        self, connection: Connection, service_ns: int, now_ns: int, chunks: int = 0
    ) -> int | None:
        """A request arrives; its answer may have so many paced chunks after the first.

        Returns:
            When it will be answered, None when that is not known: it waits for a slot, its answer
            is a reset, or there will be none.
        """
        backend = connection.server
        assert backend is not None
        if backend.state == HANGING:
            return None
        connection.chunks = chunks
        if self._is_plain:
            if not service_ns and not chunks:
                return now_ns
            self._serial += 1
            connection.serving = self._serial
            until_ns = now_ns + service_ns
            self._agenda.at(until_ns, self._served, connection, self._serial)
            return until_ns + chunks * self._chunk_ns
        return self._special(backend, connection, service_ns, now_ns)

    def _special(
        self, backend: Backend, connection: Connection, service_ns: int, now_ns: int
    ) -> int | None:
        if backend.factor != 1.0:
            service_ns = round(service_ns * backend.factor)
        self._serial += 1
        serial = connection.serving = self._serial
        if self._has_no_place(backend):
            self.counts["turned_away"] += 1
            return self._refuse(connection, now_ns)
        fails = False
        if self._error_rate:
            fails = self._draws[backend.number % self._processes]() < self._error_rate
        if self._limit:
            if backend.busy >= self._limit:
                backend.queue.append((connection, serial, service_ns, fails))
                return None
            backend.busy += 1
        self._begin(backend, connection, serial, now_ns + service_ns, fails=fails)
        if not fails:
            return now_ns + service_ns + connection.chunks * self._chunk_ns
        return now_ns + service_ns if self._is_http else None

    def _refuse(self, connection: Connection, now_ns: int) -> int | None:
        """There is no place for a request: http says so, others cut the connection."""
        connection.serving = connection.chunks = 0
        if self._is_http:
            connection.status = connection.status or _NO_PLACE
            return now_ns
        self.on_reset(connection, now_ns)
        return None

    def _has_no_place(self, backend: Backend) -> bool:
        """Whether there is neither a slot nor a place in line; who gave up keeps its place."""
        room = self._line
        return room is not None and backend.busy >= self._limit and len(backend.queue) >= room

    def _begin(
        self, backend: Backend, connection: Connection, serial: int, until_ns: int, *, fails: bool
    ) -> None:
        what = (backend, backend.lives, connection, fails)
        self._agenda.at(until_ns, self._slot_over, what, serial)

    def _served(self, connection: Connection, serial: int) -> None:
        if connection.serving != serial:
            return
        if connection.chunks:
            until_ns = self._agenda.now_ns + connection.chunks * self._chunk_ns
            connection.chunks = 0
            self.on_chunk(connection, until_ns)
            self._agenda.at(until_ns, self._served, connection, serial)
            return
        connection.serving = 0
        self._answer(connection)

    def _answer(self, connection: Connection) -> None:
        self.counts["answered"] += 1
        self.on_answer(connection, self._agenda.now_ns)

    def _slot_over(self, what: tuple[Backend, int, Connection, bool], serial: int) -> None:
        """A service time is over; who gave up meanwhile has held the slot all the same."""
        backend, lives, connection, fails = what
        now_ns = self._agenda.now_ns
        if connection.serving == serial:
            if connection.chunks and not fails:
                # One by one, so that the slot of who gives up is free with the next one.
                connection.chunks -= 1
                self.on_chunk(connection, now_ns)
                self._begin(backend, connection, serial, now_ns + self._chunk_ns, fails=False)
                return
            connection.serving = 0
            if fails and self._is_http:
                connection.status = connection.status or _ERROR
                self._answer(connection)
            elif fails:
                self.on_reset(connection, now_ns)
            else:
                self._answer(connection)
        if not self._limit or lives != backend.lives:
            return
        while backend.queue:
            waited, serial, service_ns, fails = backend.queue.popleft()
            if waited.serving == serial:
                until_ns = self._agenda.now_ns + service_ns
                self._begin(backend, waited, serial, until_ns, fails=fails)
                return
        backend.busy -= 1

    def ended(self, connection: Connection) -> None:
        """A connection is closed or cut; what it asked for is answered to nobody."""
        backend = connection.server
        if backend is not None:
            backend.connections.pop(connection, None)
            connection.server = None
            connection.serving = 0

    def silence(self, backend: Backend) -> None:
        """A backend crashes or hangs: nobody is served, nobody waits, its slots begin anew."""
        backend.queue.clear()
        backend.busy = 0
        backend.lives += 1
        for connection in [one for one in backend.connections if one.serving]:
            connection.serving = 0
            self.on_silence(connection, self._last_bytes_ns(connection))

    def _last_bytes_ns(self, connection: Connection) -> int:
        """When bytes last moved; of paced chunks told ahead, those still to come do not count."""
        ahead_ns = connection.active_ns - self._agenda.now_ns
        if ahead_ns <= 0:
            return connection.active_ns
        return connection.active_ns - -(-ahead_ns // self._chunk_ns) * self._chunk_ns

    def cut(self, backend: Backend) -> None:
        """Reset every connection of a backend."""
        for connection in list(backend.connections):
            if connection.state != GONE:
                self.on_reset(connection, self._agenda.now_ns)
