"""The load generator of the commonest scenario, which is also the one that is asked for most.

Clients that connect to one front, carry what they carry and close. The rules are those of
`client.py`; what differs is how much of the work is left out where nobody misses it:

* Who is behind with its plan takes up many rows before it looks at answers, and by then the answer
  of the first is nearly always there. So it looks before it tells epoll of the descriptor; to
  register it, and to have the kernel say that it is readable, would mostly have been in vain.
* The end of a connection that went well is one call instead of four.
* Where a connect is socket() and connect() alone, and whole chunks of rows are due, a chunk goes
  in two passes with everything at hand: all of it is dialed and asked, then answers are read in the
  order of asking until some are missing. What stays without one for some chunks, or has half of
  one, or an error, becomes an ordinary connection at that point. Each moment is read from the clock
  beside its system call; `connected` is when connect() returned, of which the write that follows at
  once is the proof.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from _socket import socket as bare_socket
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import STREAM
from simulator.live.client import CONNECTING, WAITING, LoadClient
from simulator.live.kernel_dialer import KernelDialer
from simulator.live.wire import ANSWER, ANSWER_MAGIC, REQUEST, REQUEST_MAGIC
from simulator.records import Ending, Outcome

if TYPE_CHECKING:
    import asyncio

    from simulator.live.channel import Message
    from simulator.live.ledger import Ledger
    from simulator.live.settings import ClientRole

_IS_OK: Final = int(Outcome.OK)
_IS_OPEN: Final = int(Outcome.OPEN)
_AF_INET: Final = int(socket.AF_INET)
_IN_PROGRESS: Final = errno.EINPROGRESS
_CALL_NS_MAX: Final = (1 << 31) - 1
_AT_FIRST: Final = ("sent_ns", "connected_ns", "connect_call_ns", "port", "outcome")
_AT_LAST: Final = (
    "first_byte_ns",
    "answered_ns",
    "closed_ns",
    "bytes_in",
    "answers",
    "outcome",
)
#: Rows of a chunk, which takes about 1 ms.
CHUNK: Final = 32
#: Missing answers after which the rest is not asked for: a server mostly answers in order.
_MISSES: Final = 2
#: Connections that wait outside epoll at most, and so how long one may wait behind another.
_ASKED_MAX: Final = 4 * CHUNK
#: Chunks before epoll and the timers are looked at again.
_CHUNKS_PER_WAKEUP: Final = 4
#: What `_look` is told of a connection: row, descriptor, socket, length of the answer.
_Asked = tuple[int, int, bare_socket, int]


def is_prompt(settings: ClientRole) -> bool:
    """Whether `PromptClient` can do what is asked."""
    return (
        settings.front is not None
        and settings.close == "client"
        and settings.source.mode != "permanent"
    )


class PromptClient(LoadClient):
    """One generator process with little to do for each connection (`is_prompt`)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: ClientRole,
        ledger: Ledger,
    ) -> None:
        super().__init__(loop, sock, index, settings, ledger)
        self._is_behind = False
        self._unwatched: list[tuple[int, list[int]]] = []  # begun, and epoll does not know
        self._asked: list[_Asked] = []  # oldest first; not even `_open` knows of them
        self._endpoint: tuple[str, int] | None = None
        dialer = self._dialer
        # Not a class derived from it, which does more than connect().
        if type(dialer) is KernelDialer and not self._picks and self._may_end_at_once:
            self._kernel_dialer = dialer
            self._endpoint = dialer.plain_endpoint(self._front)

    def counters(self) -> Message:
        """As its base; whoever is counted as open is known by then."""
        self._watch_asked(len(self._asked))
        return super().counters()

    def on_quit(self) -> Message:
        """As its base."""
        self._watch_asked(len(self._asked))
        return super().on_quit()

    def _wake(self) -> None:
        if self._unwatched:
            self._look_at_unwatched()
        super()._wake()

    def _arm(self) -> None:
        if self._unwatched or self._asked:
            self._timer.set(1)  # at once
        else:
            super()._arm()

    def _take_up_due(self) -> None:
        if self._endpoint is not None and self.t0_ns and self._take_up_chunks(self._endpoint):
            return
        super()._take_up_due()
        row = self._next_row
        self._is_behind = (
            row < self._total
            and self.t0_ns > 0
            and self._plan["due_ns"][row] <= monotonic_ns() - self.t0_ns
        )

    def _begin(self, fd: int, entry: list[int]) -> None:
        if not self._is_behind or not self._plan["requests"][entry[0]]:
            super()._begin(fd, entry)
            return
        data = self._request(entry)
        try:
            sent = os.write(fd, data)
        except BlockingIOError:  # SYN_SENT: the handshake is still on its way
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT)
            return
        except OSError as error:
            self._fail_first(fd, entry, error.errno or 0)
            return
        self._note_connected(fd, entry)
        entry[1] = WAITING
        entry[3] = 1
        if sent < len(data):
            self._unsent[fd] = memoryview(data)[sent:]
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT)
        else:
            self._unwatched.append((fd, entry))

    def _look_at_unwatched(self) -> None:
        """Take in what has come meanwhile; epoll watches the rest."""
        open_ = self._open
        unwatched, self._unwatched = self._unwatched, []
        for fd, entry in unwatched:
            if open_.get(fd) is entry:
                self._readable(fd, entry)
                if open_.get(fd) is entry:
                    self._epoll.register(fd, select.EPOLLIN)

    def _finish(self, fd: int, entry: list[int], *, reset: bool) -> None:
        if reset or self._unsent:
            super()._finish(fd, entry, reset=reset)
            return
        row = entry[0]
        rows = self._rows
        del self._open[fd]
        self._dialer.close(fd)
        rows["closed_ns"][row] = monotonic_ns() - self.t0_ns
        rows["outcome"][row] = _IS_OK
        self.ok += 1

    # Chunks.

    def _take_up_chunks(self, endpoint: tuple[str, int]) -> bool:
        """Take up what is due in whole chunks; whether there was one."""
        due, step = self._plan["due_ns"], self._settings.workers
        began = False
        for _ in range(_CHUNKS_PER_WAKEUP):
            first = self._next_row
            last = first + (CHUNK - 1) * step
            if last >= self._total or due[last] > monotonic_ns() - self.t0_ns:
                break
            began = True
            self._next_row = last + step
            self._ask(range(first, last + step, step), endpoint)
            self._look(_MISSES)
            if len(self._asked) > _ASKED_MAX:
                self._watch_asked(len(self._asked) - _ASKED_MAX)
        if not began and self._asked:
            self._look(len(self._asked))
            self._watch_asked(len(self._asked))
        return began

    def _ask(self, chunk: range, endpoint: tuple[str, int]) -> None:
        """Connect each row of a chunk and write its request."""
        plan, rows, t0_ns = self._plan, self._rows, self.t0_ns
        part = slice(chunk.start, chunk.stop, chunk.step)
        asked_for = zip(
            chunk,
            plan["requests"][part].tolist(),
            plan["lifetime_ns"][part].tolist(),
            plan["request_bytes"][part].tolist(),
            plan["response_bytes"][part].tolist(),
            plan["first_service"][part].tolist(),
            strict=True,
        )
        services = plan["service_ns"]
        sent_ns, connected_ns, call_ns, port, outcome = (rows[name] for name in _AT_FIRST)
        clock, write, asked = monotonic_ns, os.write, self._asked
        made: tuple[int, int, int] | None = None
        data, dialed = b"", 0
        for row, requests, lifetime, size, answer, first_service in asked_for:
            if requests != 1 or lifetime:
                self._take_up(row)
                continue
            began = clock()
            try:
                sock = bare_socket(_AF_INET, STREAM, 0)
            except OSError:  # it will meet the same, and writes it down
                self._take_up(row)
                continue
            called = clock()
            code = sock.connect_ex(endpoint)
            ended = clock()
            took = ended - called
            call_ns[row] = took if took < _CALL_NS_MAX else _CALL_NS_MAX
            if code and code != _IN_PROGRESS:
                self._not_connected(row, sock, code, began, took)
                continue
            dialed += 1
            sent_ns[row] = began - t0_ns
            port[row] = sock.getsockname()[1]
            outcome[row] = _IS_OPEN
            wanted = (size, answer, services[first_service])
            if wanted != made:
                made = wanted
                data = REQUEST.pack(REQUEST_MAGIC, size, answer, 0, wanted[2]) + self._body(size)
            fd = sock.fileno()
            try:
                sent = write(fd, data)
            except OSError as error:
                self._not_asked(row, sock, error)
                continue
            connected_ns[row] = ended - t0_ns
            if sent == len(data):
                asked.append((row, fd, sock, ANSWER.size + answer))
                continue
            self._adopt(row, sock, WAITING, ANSWER.size + answer)
            self._unsent[fd] = memoryview(data)[sent:]
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT)
        self.sent += dialed
        self._kernel_dialer.count(dialed)

    def _not_connected(
        self, row: int, sock: bare_socket, code: int, began_ns: int, took_ns: int
    ) -> None:
        """connect() failed at once."""
        sock.close()
        self._kernel_dialer.plainly_failed(code, took_ns)
        self._not_dialed(row, began_ns - self.t0_ns)

    def _not_asked(self, row: int, sock: bare_socket, error: OSError) -> None:
        """The first request could not be written: not connected yet, or an end at once."""
        entry = self._adopt(row, sock, CONNECTING, 0)
        fd = sock.fileno()
        if isinstance(error, BlockingIOError):
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT)
        else:
            self._fail_first(fd, entry, error.errno or 0)

    def _adopt(self, row: int, sock: bare_socket, state: int, missing: int) -> list[int]:
        """Make a connection an ordinary one, with its timeout; epoll does not know it yet."""
        fd = sock.fileno()
        self._kernel_dialer.adopt(sock)
        entry = self._open[fd] = [row, state, missing, 1 if state == WAITING else 0]
        deadline = self.t0_ns + self._rows["sent_ns"][row] + self._settings.timeout_ns
        self._timeouts.append((deadline, row, fd, 0))
        return entry

    def _look(self, patience: int) -> None:
        """Read answers, oldest first, and close; after so many that are missing the rest waits."""
        asked, self._asked = self._asked, []
        rows, t0_ns = self._rows, self.t0_ns
        first_byte_ns, answered_ns, closed_ns, bytes_in, answers, outcome = (
            rows[name] for name in _AT_LAST
        )
        clock, read, unpack, head = monotonic_ns, os.read, ANSWER.unpack_from, ANSWER.size
        ended = 0
        for position, (row, fd, sock, missing) in enumerate(asked, 1):
            try:
                data = read(fd, missing + 1)
            except BlockingIOError:
                self._asked.append(asked[position - 1])
                if len(self._asked) < patience:
                    continue
                self._asked += asked[position:]
                break
            except OSError as error:
                self._ended(fd, self._adopt(row, sock, WAITING, missing), error.errno or 0)
                continue
            now = clock() - t0_ns
            if len(data) == missing:
                magic, _backend, size = unpack(data)
                if magic == ANSWER_MAGIC and size == missing - head:
                    sock.close()
                    closed_ns[row] = clock() - t0_ns
                    first_byte_ns[row] = answered_ns[row] = now
                    bytes_in[row] = missing
                    answers[row] = 1
                    outcome[row] = _IS_OK
                    ended += 1
                    continue
            self._otherwise(self._adopt(row, sock, WAITING, missing), fd, data)
        self.ok += ended

    def _otherwise(self, entry: list[int], fd: int, data: bytes) -> None:
        """What was read is not one whole answer."""
        if not data:
            self._ended(fd, entry, Ending.EOF)
            return
        self._epoll.register(fd, select.EPOLLIN)
        self._take_in(fd, entry, data)

    def _watch_asked(self, count: int) -> None:
        """Leave the oldest of those asked to epoll."""
        for row, fd, sock, missing in self._asked[:count]:
            self._adopt(row, sock, WAITING, missing)
            self._epoll.register(fd, select.EPOLLIN)
        del self._asked[:count]
