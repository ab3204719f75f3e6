"""The load generator: sends what is due when it is due, and writes down what became of it.

Open loop: a connection is taken up at its due time whatever happened to those before; when this
process is late, the row says so, because `sent` is written when the work really begins. Each row
of the ledger belongs to one generator process, which writes it in place.

The life of a connection, by its descriptor's state:

    CONNECTING -> WAITING (an answer) -> RESTING (until the next request or the end of its
    lifetime) -> WAITING ... -> LEAVING (answered; the other side is to close) -> gone

Requests are spread evenly over the lifetime, or the client thinks after each
answer. Who closes is the scenario's `close`: the client itself by FIN or by RST, or the other side
(balancer's idle timeout, backend after the last answer), and then the client waits for that end.
"""

from __future__ import annotations

import errno
import os
import select
from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from simulator.clock import monotonic_ns
from simulator.kernel.timer import Timer
from simulator.live.dialer import FAILED
from simulator.live.role import Role
from simulator.live.sources import source_dialer
from simulator.live.targets import Targets
from simulator.live.wire import ANSWER, ANSWER_MAGIC, FLAG_CLOSE, REQUEST, REQUEST_MAGIC
from simulator.records import (
    OUT_OF_DESCRIPTORS,
    OUT_OF_MEMORY,
    Call,
    Ending,
    Outcome,
)
from simulator.seeds import pure_random

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.channel import Message
    from simulator.live.ledger import Ledger
    from simulator.live.settings import ClientRole

CONNECTING: Final = 1
WAITING: Final = 2
RESTING: Final = 3
LEAVING: Final = 4

#: In place of a count of requests: the wait for the other side's close. Where the balancer's
#: idle timeout is to close there is none, since that timeout is the scenario's to choose.
_LEAVING_BEGAN: Final = -1
_EVENTS_PER_WAKEUP: Final = 512
#: Arrivals taken up before answers are looked at again, so that a backlog cannot starve them.
SENDS_PER_WAKEUP: Final = 64
#: Next steps taken in one turn of the loop: all that is held ends with its phase, at one moment,
#: and a process that closes thousands in one go neither sends nor reports meanwhile.
STEPS_PER_WAKEUP: Final = 256
_READ_BYTES: Final = 1 << 16
_HEAD: Final = ANSWER.size
_NO_HEAD: Final = (b"", 0, 0)
_CALL_NS_MAX: Final = (1 << 31) - 1
_RESET: Final = frozenset({errno.ECONNRESET, errno.EPIPE})
_REPLENISH: Final = OUT_OF_DESCRIPTORS | OUT_OF_MEMORY
# Attributes of modules and enumerations are slow to look up, and these are needed for each
# connection.
_IN: Final = select.EPOLLIN
_IS_OPEN: Final = int(Outcome.OPEN)
_IS_OK: Final = int(Outcome.OK)


class LoadClient(Role):
    """One generator process."""

    kind = "client"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: ClientRole,
        ledger: Ledger,
    ) -> None:
        super().__init__(loop, sock, index)
        self._settings = settings
        self._plan = ledger.plan
        self._rows = ledger.rows
        self._total = len(ledger)
        self._next_row = index
        self._epoll = select.epoll()
        self._timer = Timer()
        self._dialer = source_dialer(settings.source, "client-ports", index)
        self._targets = Targets(
            self._dialer,
            settings.front,
            settings.policy,
            settings.choices,
            pure_random(settings.seed, "picks", index),
            index,
        )
        # One entry per open descriptor: [row, state, bytes still missing, requests begun].
        self._open: dict[int, list[int]] = {}
        self._unsent: dict[int, memoryview] = {}  # rest of a request that did not fit
        self._agenda: list[tuple[int, int, int]] = []  # (time, row, descriptor): next step due
        self._timeouts: deque[tuple[int, int, int, int]] = deque()  # (time, row, fd, begun)
        self._bodies: dict[int, bytes] = {}
        self._hold = frozenset(settings.hold_phases)
        self._think = ledger.plan.get("think_ns")  # None: nobody pauses between requests
        self._linger = ledger.plan.get("linger_ns")
        # What most connections need none of, so that they do not pay for asking each time.
        self._picks = settings.front is None
        self._front = -1 if settings.front is None else self._targets.pick()
        self._keeps = settings.source.mode == "permanent"
        self._may_end_at_once = self._think is None and settings.close in ("client", "reset")
        self.sent = 0
        self.ok = 0
        self.failed = 0
        self.not_sent = 0

    async def prepare(self) -> Message:
        """Register with the loop; the ledger is mapped already."""
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)
        self.loop.add_reader(self._epoll.fileno(), self._wake)
        return {"rows": len(range(self.index, self._total, self._settings.workers))}

    def on_message(self, head: Message) -> None:
        """Where backends listen, when there is no balancer."""
        if head.get("do") == "membership":
            count = self._targets.change(head["insert"], head["remove"])
            if "change" in head:
                at_ns = monotonic_ns() - self.t0_ns
                self.channel.send({"is": "changed", "change": head["change"], "t_ns": at_ns})
            else:
                self.channel.send({"is": "members", "count": count})

    def on_start(self) -> None:
        """The first row is due from now on."""
        self._arm()

    def on_stop(self) -> None:
        """Give up everything that is not yet due; what is open goes on."""
        outcome = self._rows["outcome"]
        for row in range(self._next_row, self._total, self._settings.workers):
            outcome[row] = Outcome.NOT_SENT_STOPPED
            self.not_sent += 1
        self._next_row = self._total

    def on_quit(self) -> Message:
        """Account for what was never taken up, and let go of everything."""
        outcome = self._rows["outcome"]
        for row in range(self._next_row, self._total, self._settings.workers):
            outcome[row] = Outcome.NOT_SENT_GENERATOR
            self.not_sent += 1
        self._next_row = self._total
        left_open = len(self._open)
        self.loop.remove_reader(self._epoll.fileno())
        self._open.clear()
        self._dialer.close_all()
        self._epoll.close()
        self._timer.close()
        return {"open": left_open}

    def counters(self) -> Message:
        """Cumulative counters of this generator."""
        dialer = self._dialer.statistics()
        return {
            "sent": self.sent,
            "ok": self.ok,
            "failed": self.failed,
            "open": len(self._open),
            "not_sent": self.not_sent,
            "lost_races": dialer.lost_races,
            "kept": dialer.kept,
            "fds": len(self._open) + dialer.kept,
        }

    # The reactor.

    def _wake(self) -> None:
        open_ = self._open
        for fd, events in self._epoll.poll(0, _EVENTS_PER_WAKEUP):
            entry = open_.get(fd)
            if entry is None:
                if fd == self._timer.fileno():
                    self._timer.acknowledge()
            elif entry[1] == CONNECTING:
                self._connected_or_failed(fd, entry)
            elif events == _IN:
                self._readable(fd, entry)
            else:
                if events & select.EPOLLOUT and fd in self._unsent:
                    self._send_rest(fd, entry)
                if events & ~select.EPOLLOUT and open_.get(fd) is entry:
                    self._readable(fd, entry)
        self._take_up_due()
        self._take_steps()
        self._time_out()
        self._arm()

    def _arm(self) -> None:
        times = []
        if self._next_row < self._total:
            times.append(self.t0_ns + self._plan["due_ns"][self._next_row])
        if self._agenda:
            times.append(self._agenda[0][0])
        if self._timeouts:
            times.append(self._timeouts[0][0])
        self._timer.set(min(times) if times else None)

    # Arrivals.

    def _take_up_due(self) -> None:
        if not self.t0_ns:
            return
        due = self._plan["due_ns"]
        step = self._settings.workers
        row = self._next_row
        elapsed = monotonic_ns() - self.t0_ns
        for _ in range(SENDS_PER_WAKEUP):
            if row >= self._total or due[row] > elapsed:
                break
            self._next_row = row + step
            self._take_up(row)
            row += step

    def _take_up(self, row: int) -> None:
        rows = self._rows
        begin = monotonic_ns() - self.t0_ns
        target = self._targets.pick() if self._picks else self._front
        if target < 0:
            rows["sent_ns"][row] = begin
            self._fail_row(row, Call.PICK, Ending.NO_BACKEND)
            self.sent += 1
            self.failed += 1
            return
        dialer = self._dialer
        fd = dialer.dial(target)
        call_ns = dialer.last_call_ns
        rows["connect_call_ns"][row] = call_ns if call_ns < _CALL_NS_MAX else _CALL_NS_MAX
        if dialer.last_source:
            rows["source"][row] = dialer.last_source
        if self._picks:
            rows["backend"][row] = self._targets.picked
        if fd == FAILED:
            rows["port"][row] = dialer.last_port
            self._not_dialed(row, begin)
            return
        rows["sent_ns"][row] = begin
        rows["port"][row] = dialer.last_port or dialer.sockets[fd].getsockname()[1]
        rows["outcome"][row] = _IS_OPEN
        self.sent += 1
        if self._picks:
            self._targets.opened(fd)
        entry = self._open[fd] = [row, CONNECTING, 0, 0]
        # As `_start_timeout` does, with the time that is known.
        deadline = self.t0_ns + begin + self._settings.timeout_ns
        self._timeouts.append((deadline, row, fd, 0))
        self._begin(fd, entry)

    def _begin(self, fd: int, entry: list[int]) -> None:
        """Watch a connection, and begin what it carries."""
        self._epoll.register(fd, _IN)
        # On loopback the handshake is over when connect() returns, so the first request can
        # nearly always be written at once; the wait for writability is the exception.
        if self._plan["requests"][entry[0]]:
            self._begin_request(fd, entry)
        else:
            self._rest_if_connected(fd, entry)

    def _rest_if_connected(self, fd: int, entry: list[int]) -> None:
        """Begin to hold a connection that carries nothing: one call where epoll would take four."""
        try:
            self._dialer.sockets[fd].getpeername()
        except OSError:  # the handshake is still on its way, or has failed already
            self._epoll.modify(fd, select.EPOLLOUT | select.EPOLLIN)
            return
        self._note_connected(fd, entry)
        self._rest(fd, entry)

    def _not_dialed(self, row: int, begin: int) -> None:
        """The dialer gave no descriptor: out of descriptors is the generator's own fault."""
        call, error = self._dialer.last_call, self._dialer.last_error
        if call == Call.SOCKET and error in _REPLENISH:
            self._rows["outcome"][row] = Outcome.NOT_SENT_DESCRIPTORS
            self.not_sent += 1
            return
        self._rows["sent_ns"][row] = begin
        self.sent += 1
        self.failed += 1
        self._fail_row(row, call, error)

    def _connected_or_failed(self, fd: int, entry: list[int]) -> None:
        error = self._dialer.take_error(fd)
        if error:
            self._fail_first(fd, entry, error)
            return
        self._epoll.modify(fd, select.EPOLLIN)
        self._note_connected(fd, entry)
        if self._plan["requests"][entry[0]]:
            self._begin_request(fd, entry)
        else:
            self._rest(fd, entry)

    def _fail_first(self, fd: int, entry: list[int], code: int) -> None:
        """An errno at the first touch.

        A reset before the handshake reads ECONNREFUSED, so ECONNRESET and EPIPE mean that there
        was a connection and somebody ended it.
        """
        if code in _RESET:
            self._note_connected(fd, entry)
            self._fail(fd, entry, Call.RECV, code)
        else:
            self._fail(fd, entry, Call.CONNECT, code)

    def _note_connected(self, fd: int, entry: list[int]) -> None:
        self._rows["connected_ns"][entry[0]] = monotonic_ns() - self.t0_ns
        entry[1] = RESTING

    # Requests and answers.

    def _body(self, size: int) -> bytes:
        body = self._bodies.get(size)
        if body is None:
            body = self._bodies[size] = bytes(size)
        return body

    def _request(self, entry: list[int]) -> bytes:
        """The next request of a connection; notes in its entry how long the answer will be."""
        row, _, _, begun = entry
        plan = self._plan
        size, answer = plan["request_bytes"][row], plan["response_bytes"][row]
        last = begun + 1 == plan["requests"][row]
        service = plan["service_ns"][plan["first_service"][row] + begun]
        flags = FLAG_CLOSE if last and self._settings.close == "backend" else 0
        entry[2] = ANSWER.size + answer
        # Packed here, not by `request_head`: one call less for each request.
        return REQUEST.pack(REQUEST_MAGIC, size, answer, flags, service) + self._body(size)

    def _begin_request(self, fd: int, entry: list[int]) -> None:
        _, state, _, begun = entry
        data = self._request(entry)
        try:
            sent = os.write(fd, data)
        except BlockingIOError:
            if state == CONNECTING:  # SYN_SENT: the handshake is still on its way
                self._epoll.modify(fd, select.EPOLLIN | select.EPOLLOUT)
                return
            sent = 0
        except OSError as error:
            if state == CONNECTING:
                self._fail_first(fd, entry, error.errno or 0)
            else:
                self._fail(fd, entry, Call.SEND, error.errno or 0)
            return
        if state == CONNECTING:
            self._note_connected(fd, entry)
        else:
            self._start_timeout(fd, entry, begun)
        entry[1] = WAITING
        entry[3] = begun + 1
        if sent < len(data):
            self._unsent[fd] = memoryview(data)[sent:]
            self._epoll.modify(fd, select.EPOLLIN | select.EPOLLOUT)

    def _send_rest(self, fd: int, entry: list[int]) -> None:
        rest = self._unsent[fd]
        try:
            sent = os.write(fd, rest)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(fd, entry, Call.SEND, error.errno or 0)
            return
        if sent < len(rest):
            self._unsent[fd] = rest[sent:]
        else:
            del self._unsent[fd]
            self._epoll.modify(fd, select.EPOLLIN)

    def _readable(self, fd: int, entry: list[int]) -> None:
        _, state, missing, _ = entry
        try:
            # One byte more than is missing shows too long an answer, at the price of a short one.
            data = os.read(fd, missing + 1 if 0 < missing < _READ_BYTES else _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._ended(fd, entry, error.errno or 0)
            return
        if not data:
            self._ended(fd, entry, Ending.EOF)
            return
        if len(data) == missing and state == WAITING:
            magic, _backend, size = ANSWER.unpack_from(data) if missing >= _HEAD else _NO_HEAD
            if missing == _HEAD + size and magic == ANSWER_MAGIC:  # the whole answer in one read
                self._answered_at_once(fd, entry, missing)
                return
        self._take_in(fd, entry, data)

    def _take_in(self, fd: int, entry: list[int], data: bytes) -> None:
        """Bytes that are not one whole answer: a piece of one, or what nobody asked for."""
        row, state, missing, begun = entry
        rows = self._rows
        rows["bytes_in"][row] += len(data)
        if state != WAITING or len(data) > missing:
            self._fail(fd, entry, Call.RECV, Ending.PROTOCOL)  # bytes nobody asked for
            return
        if missing == ANSWER.size + self._plan["response_bytes"][row] and not self._begins_well(
            row, begun, data
        ):
            self._fail(fd, entry, Call.RECV, Ending.PROTOCOL)
            return
        entry[2] = missing - len(data)
        if not entry[2]:
            rows["answers"][row] = begun
            rows["answered_ns"][row] = monotonic_ns() - self.t0_ns
            self._answered(fd, entry)

    def _answered_at_once(self, fd: int, entry: list[int], size: int) -> None:
        """What was asked for came in one piece, as most answers do."""
        row, _, _, begun = entry
        rows = self._rows
        now = monotonic_ns() - self.t0_ns
        if begun == 1:
            rows["first_byte_ns"][row] = now
            rows["bytes_in"][row] = size
        else:
            rows["bytes_in"][row] += size
        rows["answers"][row] = begun
        rows["answered_ns"][row] = now
        entry[2] = 0
        plan = self._plan
        if (
            self._may_end_at_once
            and begun == plan["requests"][row]
            and not plan["lifetime_ns"][row]
        ):
            self._finish(fd, entry, reset=self._settings.close == "reset")
        else:
            self._answered(fd, entry)

    def _begins_well(self, row: int, begun: int, data: bytes) -> bool:
        """Note the first byte, and check that an answer begins as one."""
        if begun == 1:
            self._rows["first_byte_ns"][row] = monotonic_ns() - self.t0_ns
        if len(data) < ANSWER.size:
            return ANSWER_MAGIC.startswith(data[: len(ANSWER_MAGIC)]) or data.startswith(
                ANSWER_MAGIC
            )
        magic, _backend, size = ANSWER.unpack_from(data)
        return bool(magic == ANSWER_MAGIC and size == self._plan["response_bytes"][row])

    def _answered(self, fd: int, entry: list[int]) -> None:
        row, _, _, begun = entry
        if begun == self._plan["requests"][row] and self._settings.close == "backend":
            entry[1] = LEAVING  # the backend closes after its last answer
            self._start_timeout(fd, entry, _LEAVING_BEGAN)
            return
        self._rest(fd, entry)

    def _rest(self, fd: int, entry: list[int]) -> None:
        """Until the next request is due, or the end of the connection's lifetime."""
        row, _, _, begun = entry
        plan = self._plan
        requests = plan["requests"][row]
        lifetime = plan["lifetime_ns"][row]
        entry[1] = RESTING
        if self._think is not None:
            if begun < requests:
                pause = self._think[plan["first_service"][row] + begun]
            else:
                pause = self._linger[row] if self._linger is not None else 0
            if pause:
                heappush(self._agenda, (monotonic_ns() + pause, row, fd))
                return
        if not lifetime:
            self._step(fd, entry)
            return
        if plan["phase"][row] in self._hold:
            origin = self.t0_ns + plan["due_ns"][row]  # all of a hold end with their phase
        else:
            origin = self.t0_ns + self._rows["connected_ns"][row]
        share = lifetime * begun // requests if begun < requests else lifetime
        heappush(self._agenda, (origin + share, row, fd))

    def _take_steps(self) -> None:
        agenda = self._agenda
        if not agenda:
            return
        now = monotonic_ns()
        for _ in range(STEPS_PER_WAKEUP):
            if not agenda or agenda[0][0] > now:
                break
            _, row, fd = heappop(agenda)
            entry = self._open.get(fd)
            if entry is not None and entry[0] == row and entry[1] == RESTING:
                self._step(fd, entry)

    def _step(self, fd: int, entry: list[int]) -> None:
        """The next request, or the end."""
        if entry[3] < self._plan["requests"][entry[0]]:
            self._begin_request(fd, entry)
        elif self._settings.close == "balancer":
            entry[1] = LEAVING  # the balancer's idle timeout ends it
        else:
            self._finish(fd, entry, reset=self._settings.close == "reset")

    # Ends.

    def _ended(self, fd: int, entry: list[int], code: int) -> None:
        """The other side closed or reset: as planned only when every answer is in."""
        all_in = (
            entry[1] == RESTING
            and self._settings.close == "balancer"
            and entry[3] == self._plan["requests"][entry[0]]
        )
        if code == Ending.EOF and (entry[1] == LEAVING or all_in):
            self._finish(fd, entry, reset=False)
        else:
            self._fail(fd, entry, Call.RECV, code)

    def _finish(self, fd: int, entry: list[int], *, reset: bool) -> None:
        row = entry[0]
        self._close(fd, reset=reset)
        self._rows["closed_ns"][row] = monotonic_ns() - self.t0_ns
        self._rows["outcome"][row] = _IS_OK
        self.ok += 1

    def _fail(self, fd: int, entry: list[int], call: int, code: int) -> None:
        self._close(fd, reset=True)
        self._fail_row(entry[0], call, code)
        self.failed += 1

    def _fail_row(self, row: int, call: int, code: int) -> None:
        rows: dict[str, Any] = self._rows
        rows["closed_ns"][row] = monotonic_ns() - self.t0_ns
        rows["call"][row] = call
        rows["error"][row] = code
        rows["outcome"][row] = Outcome.FAILED

    def _close(self, fd: int, *, reset: bool) -> None:
        del self._open[fd]
        if self._unsent:
            self._unsent.pop(fd, None)
        if self._picks:
            self._targets.closed(fd)
        if self._keeps:
            # A kept descriptor stays open, so epoll must be told; others are forgotten by it.
            self._epoll.unregister(fd)
        if reset:
            self._dialer.reset(fd)
        else:
            self._dialer.close(fd)

    def _start_timeout(self, fd: int, entry: list[int], begun: int) -> None:
        """All waits have one length, so the queue is in order of time by itself.

        Args:
            fd: the connection.
            entry: what is known of it.
            begun: requests begun before the wait, or _LEAVING_BEGAN. The wait for the first
                answer goes on from the wait for the connection.
        """
        deadline = monotonic_ns() + self._settings.timeout_ns
        self._timeouts.append((deadline, entry[0], fd, begun))

    def _time_out(self) -> None:
        queue = self._timeouts
        if not queue:
            return
        now = monotonic_ns()
        while queue and queue[0][0] <= now:
            _, row, fd, begun = queue.popleft()
            entry = self._open.get(fd)
            if entry is None or entry[0] != row or entry[1] == RESTING:
                continue
            if entry[1] == CONNECTING:
                self._fail(fd, entry, Call.CONNECT, Ending.TIMEOUT)
            elif begun == _LEAVING_BEGAN if entry[1] == LEAVING else entry[3] <= begun + 1:
                self._fail(fd, entry, Call.RECV, Ending.TIMEOUT)
