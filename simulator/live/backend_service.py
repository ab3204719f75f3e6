"""Backends that do more than answer in time: a limit with a queue, faults, answers in chunks.

Kept apart from `backend.py`, whose plain path must not pay for what a scenario does not use. A
request gets a serial when it is read and keeps it until its answer is out, through the queue, the
service and the chunks; a connection that ends meanwhile leaves a serial that nobody answers to.
"""

from __future__ import annotations

import os
from heapq import heappush
from typing import TYPE_CHECKING

from simulator.clock import monotonic_ns
from simulator.live.backend import BODY, BackendServers
from simulator.live.slots import Slots
from simulator.live.wire import ANSWER, ANSWER_MAGIC
from simulator.seeds import pure_random

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.backend import Connection
    from simulator.live.channel import Message
    from simulator.live.settings import BackendRole
    from simulator.live.shared_ports import Share


class ServiceServers(BackendServers):
    """Backends with a limit of concurrency, faults, or answers in paced chunks."""

    is_special = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: BackendRole,
        share: Share | None = None,
    ) -> None:
        super().__init__(loop, sock, index, settings, share)
        self._draw = pure_random(settings.seed, "faults", index).random
        limit = settings.concurrency
        self._slots: Slots[tuple[int, int, int]] | None = (
            Slots(limit, settings.queue) if limit else None
        )
        self._slot_of: dict[int, int] = {}  # serial -> backend, of those being served
        self._slow = frozenset(settings.slow)
        self._failing: set[int] = set()  # serials whose answer is a reset
        self._streaming: set[int] = set()  # serials whose answer has begun
        self._forgets = pure_random(settings.seed, "leaks", index).random
        self.resets = 0
        self.turned_away = 0
        self.leaked = 0

    def counters(self) -> Message:
        """Cumulative counters, and how many requests wait now."""
        found = {**super().counters(), "resets": self.resets, "leaked": self.leaked}
        if self._slots is not None:
            found |= {
                "serving": len(self._slot_of),
                "waiting": self._slots.waiting,
                "most_waiting": self._slots.most_waiting,
                "turned_away": self.turned_away,
            }
        return found

    def _begin_service(self, descriptor: int, connection: Connection, service_ns: int) -> None:
        backend = connection.backend
        if backend in self._slow:
            service_ns = round(service_ns * self._settings.slow_factor)
        self._serial += 1
        serial = self._serial
        self._serial_of[descriptor] = serial
        if self._slots is not None and self._slots.is_full(backend):
            self.turned_away += 1
            self._turn_away(serial, descriptor)
            return
        if self._settings.error_rate and self._draw() < self._settings.error_rate:
            self._failing.add(serial)
        if self._slots is None or self._slots.enter(backend, (serial, descriptor, service_ns)):
            self._serve(serial, descriptor, service_ns, backend)

    def _turn_away(self, serial: int, descriptor: int) -> None:
        """There is no place for a request: its connection ends at once."""
        self._cut([descriptor])

    def _serve(self, serial: int, descriptor: int, service_ns: int, backend: int) -> None:
        if self._slots is not None:
            self._slot_of[serial] = backend
        heappush(self._due, (monotonic_ns() + service_ns, serial, descriptor))
        self._arm()

    def _service_due(self, serial: int, descriptor: int) -> None:
        if self._serial_of.get(descriptor) != serial:
            self._end_service(serial)  # its connection is gone
            return
        connection = self._connections[descriptor]
        if serial in self._failing:
            self.resets += 1
            self._cut([descriptor])
        elif self._settings.chunk_bytes:
            if self._send_chunk(serial, descriptor, connection):
                return
        else:
            del self._serial_of[descriptor]
            self._answer(descriptor, connection)
        self._end_service(serial)

    def _end_service(self, serial: int) -> None:
        """Free the slot of a request, and begin with who waited for it."""
        self._failing.discard(serial)
        self._streaming.discard(serial)
        backend = self._slot_of.pop(serial, None)
        if self._slots is None or backend is None:
            return
        waited = self._slots.leave(backend)
        while waited is not None and self._serial_of.get(waited[1]) != waited[0]:
            self._failing.discard(waited[0])
            waited = self._slots.leave(backend)  # that one gave up while it waited
        if waited is not None:
            self._serve(*waited, backend)

    def _send_chunk(self, serial: int, descriptor: int, connection: Connection) -> bool:
        """Send the next chunk of an answer, the first with its head; whether more is to come.

        What a slow reader does not take waits for the next chunk's turn: a stream never runs ahead
        of its pace, and holds no more than the socket does.
        """
        assert connection.head is not None
        head = b""
        if serial not in self._streaming:
            self._streaming.add(serial)
            connection.out_left = connection.head[0]
            head = ANSWER.pack(ANSWER_MAGIC, connection.backend, connection.out_left)
        chunk = BODY[: min(self._settings.chunk_bytes, connection.out_left)]
        try:
            sent = os.write(descriptor, head + chunk)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = -1
        if sent < len(head):
            self._drop(descriptor)  # gone, or it never reads: not even twelve bytes did fit
            return False
        connection.out_left -= sent - len(head)
        if connection.out_left:
            next_ns = monotonic_ns() + self._settings.chunk_every_ns
            heappush(self._due, (next_ns, serial, descriptor))
            return True
        del self._serial_of[descriptor]
        self._answered(descriptor, connection)
        return False

    def _at_end(self, descriptor: int) -> None:
        """Close, or forget to: the descriptor is kept, and nobody looks at it any more."""
        connection = self._connections[descriptor]
        # One that is forgotten is heard of again when it was reset, and then there is no more to
        # keep; its read says end of file once more.
        if connection.forgotten or self._forgets() >= self._settings.leaks:
            self._close(descriptor)
            return
        connection.forgotten = True
        self.leaked += 1
        if self._idle is not None:
            self._idle.works(descriptor)
        self._epoll.modify(descriptor, 0)

    def _silenced(self, backend: int) -> None:
        """A process that crashed or hangs serves nobody: its slots begin anew."""
        if self._slots is not None:
            self._slots.forget(backend)
            for serial in [one for one, whose in self._slot_of.items() if whose == backend]:
                del self._slot_of[serial]


def is_special(settings: BackendRole) -> bool:
    """Whether backends need more than the plain servers."""
    return bool(
        settings.concurrency
        or settings.error_rate
        or settings.slow
        or settings.hanging
        or settings.chunk_bytes
        or settings.leaks
    )
