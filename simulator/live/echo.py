"""Echo: backends that send back what they get, and clients that compare it with what they sent."""

from __future__ import annotations

import os
import select
from typing import Final

from simulator.live.backend import BackendServers
from simulator.live.client import WAITING
from simulator.live.exchange import ExchangeClient
from simulator.live.turns import TurnsClient
from simulator.records import Call, Ending

_READ_BYTES: Final = 1 << 16
#: Repeats after a prime number of bytes, so that what is lost, doubled or swapped is seen.
_PATTERN: Final = bytes(range(251))


class EchoServers(BackendServers):
    """Backends that send back whatever comes, until the other side closes.

    What a slow reader does not take is kept, and nothing more is read from it until that is out;
    so a connection holds one read at most.
    """

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
            self._close(descriptor)
            return
        if self._idle is not None:
            self._idle.works(descriptor)
        connection.buffer = data
        self._send_back(descriptor)

    def _write(self, descriptor: int) -> None:
        """The reader of an echo took some of it: go on."""
        self._send_back(descriptor)

    def _send_back(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        waited = bool(connection.out_left)
        try:
            sent = os.write(descriptor, connection.buffer)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(descriptor)
            return
        connection.buffer = connection.buffer[sent:]
        connection.out_left = len(connection.buffer)
        if connection.out_left:
            if not waited:
                self._epoll.modify(descriptor, select.EPOLLOUT)
            return
        if waited:
            self._epoll.modify(descriptor, select.EPOLLIN)
        self.answered += 1
        if self._idle is not None:
            self._rests(descriptor)


class EchoClient(ExchangeClient):
    """One generator process whose answers must be its own requests."""

    def _body(self, size: int) -> bytes:
        body = self._bodies.get(size)
        if body is None:
            repeated = _PATTERN * (size // len(_PATTERN) + 1)
            body = self._bodies[size] = repeated[:size]
        return body

    def _request(self, entry: list[int]) -> bytes:
        size = self._plan["request_bytes"][entry[0]]
        entry[2] = size
        return self._body(size)

    def _received(self, fd: int, entry: list[int], data: bytes) -> None:
        row, state, missing, _ = entry
        body = self._body(self._plan["request_bytes"][row])
        at = len(body) - missing
        # Bytes nobody asked for make the piece longer than what it is compared with.
        if state != WAITING or data != body[at : at + len(data)]:
            self._fail(fd, entry, Call.RECV, Ending.PROTOCOL)
            return
        self._note_first_byte(row)
        entry[2] = missing - len(data)
        if not entry[2]:
            self._note_answer(entry)
            self._answered(fd, entry)


class EchoTurnsClient(EchoClient, TurnsClient):
    """The same where rows wait for each other."""
