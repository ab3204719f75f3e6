"""A load generator that speaks HTTP/1.1: several requests on a connection, one after the other.

An answer with another status than 2xx is a failure of its connection, counted by its status
(``HTTP_503``), but no reason to hang up: the connection goes on as planned and ends as planned, so
that who closes first, and what TIME_WAIT holds, stays the scenario's choice. What is no HTTP, or
not as long as was asked for, is ``HTTP_PROTOCOL`` and ends it; an end before the answer was whole
is ``EOF`` as for any other client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.live.client import WAITING
from simulator.live.exchange import ExchangeClient
from simulator.live.http_messages import AnswerReader, HttpProtocolError, http_request
from simulator.live.turns import TurnsClient
from simulator.records import Call, Ending, http_error

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.ledger import Ledger
    from simulator.live.settings import ClientRole

#: Named where there is no balancer, whose address it would be.
_HOST: Final = "backend.portchurn.test"


class HttpClient(ExchangeClient):
    """One generator process that speaks HTTP/1.1."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: ClientRole,
        ledger: Ledger,
    ) -> None:
        super().__init__(loop, sock, index, settings, ledger)
        self._host = "{}:{}".format(*settings.front) if settings.front else _HOST
        self._readers: dict[int, AnswerReader] = {}  # by row: it outlives no connection
        self._bad: dict[int, int] = {}  # row -> status of its first answer that was a failure

    def _request(self, entry: list[int]) -> bytes:
        row, _, _, begun = entry
        plan = self._plan
        size, answer = plan["request_bytes"][row], plan["response_bytes"][row]
        last = begun + 1 == plan["requests"][row]
        service = plan["service_ns"][plan["first_service"][row] + begun]
        closes = last and self._settings.close == "backend"
        reader = self._readers.get(row)
        if reader is None:
            self._readers[row] = AnswerReader()
        else:
            reader.expect()
        return http_request(size, answer, service, self._host, close=closes) + self._body(size)

    def _received(self, fd: int, entry: list[int], data: bytes) -> None:
        row = entry[0]
        if entry[1] != WAITING:
            self._fail(fd, entry, Call.RECV, Ending.HTTP_PROTOCOL)  # bytes nobody asked for
            return
        self._note_first_byte(row)
        reader = self._readers[row]
        try:
            is_whole = reader.feed(data)
        except HttpProtocolError:
            self._fail(fd, entry, Call.RECV, Ending.HTTP_PROTOCOL)
            return
        if not is_whole:
            return
        if self._is_as_asked(row, reader):
            self._note_answer(entry)
            self._answered(fd, entry)
        else:
            self._fail(fd, entry, Call.RECV, Ending.HTTP_PROTOCOL)

    def _is_as_asked(self, row: int, reader: AnswerReader) -> bool:
        """Whether a whole answer is one to this request; a status that is a failure is kept."""
        if not 200 <= reader.status < 300:
            self._bad.setdefault(row, reader.status)
            return True
        return bool(reader.body_bytes == self._plan["response_bytes"][row])

    def _ended(self, fd: int, entry: list[int], code: int) -> None:
        """An answer without a length ends with its connection; it is the last one then."""
        row = entry[0]
        reader = self._readers.get(row)
        if (
            code == Ending.EOF
            and entry[1] == WAITING
            and entry[3] == self._plan["requests"][row]
            and reader is not None
            and reader.ends_with_connection()
        ):
            if not self._is_as_asked(row, reader):
                self._fail(fd, entry, Call.RECV, Ending.HTTP_PROTOCOL)
                return
            self._note_answer(entry)
            self._finish(fd, entry, reset=False)
        else:
            super()._ended(fd, entry, code)

    def _finish(self, fd: int, entry: list[int], *, reset: bool) -> None:
        status = self._bad.get(entry[0])
        if status is None:
            super()._finish(fd, entry, reset=reset)
            return
        self._close(fd, reset=reset)
        self._fail_row(entry[0], Call.RECV, http_error(status))
        self.failed += 1

    def _close(self, fd: int, *, reset: bool) -> None:
        row = self._open[fd][0]
        self._readers.pop(row, None)
        self._bad.pop(row, None)
        super()._close(fd, reset=reset)


class HttpTurnsClient(HttpClient, TurnsClient):
    """The same where rows wait for each other."""
