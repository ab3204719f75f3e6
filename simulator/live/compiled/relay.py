"""The plain relay with its hot loop compiled: Python chooses, machine code does the rest.

It is the relay of `relay.py` and keeps all that promises. What is known of a descriptor stands in
one array instead of lists, and the events of a wake-up go to compiled code first (`layout.py`),
which accepts, dials, reads, writes and closes as long as everything goes its plain way. What does
not (bulk, a reader that is stuck, a reset, a connect that takes time or fails) comes to the methods
inherited from there, on the same array, so there is one answer to each odd case.

Backends and source ports are chosen by the same objects in the same order, for all clients taken in
one wake-up together: so the same seed picks the same. Only a dial that fails is known later, when
the others of its batch have been chosen.
"""

from __future__ import annotations

import errno
import resource
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from simulator.errors import Refused
from simulator.live.compiled import dialing, layout, machine
from simulator.live.compiled.bare import BareSockets, Nothing, name_of
from simulator.live.pairs import BULK, CONNECTING, NOBODY
from simulator.live.reactor import EVENTS_PER_WAKEUP
from simulator.live.relay import Relay
from simulator.live.userspace_dialer import LOST_RACE, LOST_RACES_MAX, UserspaceDialer
from simulator.records import DIAL_COLUMNS, Call, Ending

if TYPE_CHECKING:
    import asyncio
    import socket
    from array import array

    from numpy.typing import NDArray

    from simulator.balancing.load import Load
    from simulator.balancing.policies.policy import Policy
    from simulator.live.dialer import Dialer
    from simulator.live.relay_log import RelaySettings
    from simulator.ports.selection.free_list import FreePorts

#: Most that is read at once before a direction counts as bulk.
_READ_BYTES: Final = 16_384
_ACCEPTS_PER_WAKEUP: Final = 128
#: Rows of 64 bytes that cost nothing until their descriptor comes up.
_DESCRIPTORS_MAX: Final = 1 << 20
_DIAL_BYTES: Final = 8 * len(DIAL_COLUMNS)
# Names of this file are quicker to look up than those of another, and these are for each wake-up.
_turn, _accept, _dial = machine.turn, machine.accept, dialing.dial
_THROUGH: Final = layout.THROUGH
_EVENTS: Final = layout.EVENTS
_AT: Final = layout.AT
_STRANGE: Final = layout.STRANGE
_ENDED: Final = layout.ENDED
_CLOSED: Final = layout.CLOSED
_DUE: Final = layout.DUE
_ERROR: Final = layout.ERROR
_ROWS: Final = layout.ROWS
_WRITTEN: Final = layout.WRITTEN
_NO_BACKEND: Final = (int(Call.PICK), int(Ending.NO_BACKEND), NOBODY)


class CompiledRelay(Relay):
    """A plain relay in machine code; arguments are those of `Relay`.

    Raises:
        Refused: the dialer takes ports in a way that only Python can.
    """

    __slots__ = (
        "_board",
        "_client_of",
        "_data",
        "_dial_bytes",
        "_dials",
        "_ended",
        "_ended_backend",
        "_endpoints",
        "_epoll",
        "_events",
        "_how",
        "_listener_fd",
        "_orders",
        "_picked",
        "_ports",
        "_races",
        "_sources",
        "_state",
        "_strange",
        "_taken",
        "_told",
        "_turns",
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
        super().__init__(loop, listener, dialer, policy, load, settings, t0_ns)
        recipe = dialer.recipe()
        if recipe is None:
            raise Refused(
                "The compiled relay takes no permanent ports, and cannot look where a connect led; "
                "leave balancer.compiled out."
            )
        dialer.sockets = BareSockets()
        self._ports = dialer if isinstance(dialer, UserspaceDialer) else None
        self._turns = len(recipe.binds) > 1 and self._ports is None
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        rows = limit if 0 < limit < _DESCRIPTORS_MAX else _DESCRIPTORS_MAX
        self._lay_out(np.zeros((rows, layout.STATE_COLUMNS), np.int64))
        self._waiting = cast("Any", Nothing())
        self._board = np.zeros(layout.BOARD_PLACES, np.int64)
        self._board[layout.HALF_CLOSE] = settings.half_close
        self._told = self._board.data  # the same, and a fifth of the time to look at a number
        self._bytes = cast("Any", self._board[layout.UP : layout.DOWN + 1].data)
        self._events = np.zeros(EVENTS_PER_WAKEUP * layout.EVENT_WORDS, np.uint32)
        self._strange = np.zeros((EVENTS_PER_WAKEUP, 2), np.int64)
        self._ended = np.zeros((EVENTS_PER_WAKEUP, 3), np.int64)
        self._ended_backend = self._ended[:, 2].data
        self._orders = np.zeros((_ACCEPTS_PER_WAKEUP, layout.ORDER_COLUMNS), np.int64)
        self._client_of = self._orders[:, layout.CLIENT].data
        self._picked = self._orders[:, layout.PICKED].data
        self._dials = np.zeros((_ACCEPTS_PER_WAKEUP, len(DIAL_COLUMNS)), np.int64)
        self._dial_bytes = self._dials.data.cast("B")
        self._data = np.zeros(min(_READ_BYTES, settings.buffer_bytes), np.uint8)
        self._taken: list[FreePorts | None] = []  # by order: the list its port is from
        self._races: dict[int, int] = {}  # by order: ports that were somebody else's
        self._endpoints = np.zeros((0, 2), np.int64)  # by backend
        self._sources = np.array(
            [name_of(address, 0) for address in recipe.binds or ("0.0.0.0",)], np.int64
        )
        self._how = np.zeros(layout.HOW_PLACES, np.int64)
        self._how[layout.BINDS] = bool(recipe.binds)
        self._how[layout.LATE] = recipe.is_late
        self._how[layout.RANGE] = recipe.range_option
        self._listener_fd = listener.fileno()
        self._epoll = self._reactor.fileno()
        self._reactor.poll = self._turn

    def _lay_out(self, state: NDArray[np.int64]) -> None:
        """Keep what is known of descriptors in this array, one row each."""
        self._state = state
        self._flags = self._column(layout.FLAGS)
        self._peer = self._column(layout.PEER)
        self._active_ns = self._column(layout.ACTIVE_NS)
        self._backend = self._column(layout.BACKEND)
        self._accepted_ns = cast("array[int]", self._column(layout.ACCEPTED_NS))
        self._address = cast("array[int]", self._column(layout.ADDRESS))

    def _column(self, number: int) -> list[int]:
        """A column of the state as a sequence that gives and takes plain numbers."""
        return cast("list[int]", self._state[:, number].data)

    def _grow(self, fd: int) -> None:
        """Make room for a descriptor beyond the limit that was in force at the start."""
        room = np.zeros((fd + 1024, layout.STATE_COLUMNS), np.int64)
        room[: len(self._state)] = self._state
        self._lay_out(room)

    # What its owner calls.

    def insert(self, backend_id: int, address: str, port: int) -> None:
        """As `Relay.insert`."""
        super().insert(backend_id, address, port)
        missing = backend_id + 1 - len(self._endpoints)
        if missing > 0:
            more = np.zeros((max(missing, 64), 2), np.int64)
            self._endpoints = np.concatenate((self._endpoints, more))
        self._endpoints[backend_id] = name_of(address, port)

    # A wake-up.

    def _turn(self) -> list[tuple[int, int]]:
        """Have everything plain done; the events of the rest."""
        told = self._told
        told[_EVENTS] = -1
        while True:
            case = _turn(
                self._epoll,
                self._listener_fd,
                self._reactor.now_ns,
                self._board,
                self._state,
                self._events,
                self._strange,
                self._ended,
                self._data,
            )
            if case == _THROUGH:
                break
            self._see_to(case)
        count = told[_ENDED]
        if count:
            self._forget(count)
        if told[_DUE]:
            self._accept_due = True
        strange = told[_STRANGE]
        return self._strange[:strange].tolist() if strange else []

    def _see_to(self, case: int) -> None:
        """What stopped the machine goes the way of every relay."""
        fd = self._told[layout.FD]
        if case == layout.HELD:
            self._hold_back(fd, self._unwritten())
        elif case == layout.FULL:
            self._flags[fd] |= BULK
            self._pump(fd, self._peer[fd], self._told[layout.WHAT])
        elif case == layout.WRITE_FAILED:
            self._on_write_error(fd)
        elif case == layout.ODD_END:
            self._end(fd)
        else:
            self._on_reset(fd)

    def _unwritten(self) -> bytes:
        begin, end = self._told[layout.BEGIN], self._told[layout.END]
        return self._data[begin:end].tobytes()

    def _forget(self, count: int) -> None:
        """Pairs have ended; their descriptors are closed, or will be after the batch."""
        self._active -= count
        closed = self._load.closed
        for backend in self._ended_backend[:count]:
            closed(backend)
        if self._tried:
            for client in self._ended[:count, 0].tolist():
                self._tried.pop(client, None)
        if self._ports is not None and self._told[_CLOSED]:
            self._release_ports(self._ports)

    def _after_batch(self) -> None:
        if not self._told[_CLOSED]:
            machine.close_ended(self._board, self._ended)
            if self._ports is not None:
                self._release_ports(self._ports)
        super()._after_batch()

    def _release_ports(self, dialer: UserspaceDialer) -> None:
        """Ports of descriptors that are closed now may be taken again."""
        for upstream in self._ended[: self._told[_ENDED], 1].tolist():
            dialer.release(upstream)

    # Accepting and connecting.

    def _accept(self) -> bool:
        count = _accept(self._listener_fd, self._board, self._state, self._orders)
        code = self._told[_ERROR]
        if count:
            self._admit_all(count)
        if code and code != errno.EAGAIN:
            self._on_accept_error(code)
        return not code

    def _admit_all(self, count: int) -> None:
        clients = self._client_of[:count].tolist()
        self._accepted += count
        self._active += count
        self._idle.add_all(clients)
        self._choose(clients)
        self._dial(count)

    def _choose(self, clients: list[int]) -> None:
        """A backend for each client, and a source address and port where that is ours to say."""
        pick, opened, picks = self._pick, self._load.opened, self._picks
        eligible, load = self._membership.eligible, self._load
        chosen = self._picked
        for row, client in enumerate(clients):
            chosen[row] = backend = pick(eligible, load, ())
            if backend < 0:
                self._refuse(client, _NO_BACKEND)
                continue
            picks[backend] += 1
            opened(backend)
        if self._turns:
            self._orders[: len(clients), layout.SOURCE] = [
                self._dialer.next_source(self._destination[backend]) if backend >= 0 else 0
                for backend in chosen[: len(clients)]
            ]
        if self._ports is not None:
            self._take_ports(self._ports, clients)

    def _take_ports(self, dialer: UserspaceDialer, clients: list[int]) -> None:
        """A source address and port for each client that has a backend."""
        self._taken = [None] * len(clients)
        for row, client in enumerate(clients):
            backend = self._picked[row]
            if backend < 0:
                continue
            ports = dialer.list_with_ports(self._destination[backend])
            if ports is None:
                self._orders[row, layout.PICKED] = NOBODY
                dialer.dial(self._destination[backend])  # fails, and says how
                self._could_not(client, backend)
                continue
            self._taken[row] = ports
            self._orders[row, layout.SOURCE] = dialer.last_source
            self._orders[row, layout.PORT] = ports.take()

    def _dial(self, count: int) -> None:
        """Have the orders carried out."""
        told = self._told
        told[_AT] = told[_WRITTEN] = 0
        self._races.clear()
        case, seen = -1, 0
        while case != _THROUGH:
            told[_ROWS] = 0
            case = _dial(
                count,
                self._epoll,
                self.t0_ns,
                self._how,
                self._board,
                self._state,
                self._orders,
                self._endpoints,
                self._sources,
                self._dials,
                self._data,
            )
            rows = told[_ROWS]
            if rows:
                self._dialer.count(rows)
                self._log.extend(self._dial_bytes[: rows * _DIAL_BYTES])
            if self._ports is not None:
                self._hold_ports(self._ports, seen, told[_AT])
            if case == layout.FAILED:
                self._on_failure(told[_AT] - 1)
            elif case != _THROUGH:
                self._see_to_dial(case, self._orders[told[_WRITTEN] - 1].tolist())
            seen = told[_AT]  # a step back where the next port of a list is tried

    def _hold_ports(self, dialer: UserspaceDialer, first: int, behind: int) -> None:
        for row in range(first, behind):
            ports, upstream = self._taken[row], int(self._orders[row, layout.DIALED])
            if ports is not None and upstream >= 0:
                dialer.hold(upstream, ports, int(self._orders[row, layout.PORT]))

    def _on_failure(self, row: int) -> None:
        """A dial failed at once: from the next port, or toward the next backend."""
        dialer = self._dialer
        client, backend, source, port = self._orders[row, : layout.DIALED].tolist()
        dialer.note(source, port, self._told[layout.CALL_NS], self._told[layout.ENDED_NS])
        dialer.note_failure(Call(self._told[layout.CALL]), self._told[layout.WHAT])
        ports = self._taken[row] if self._ports is not None else None
        if ports is not None and self._ports is not None:
            ports.give_back(port)
            if dialer.last_error in LOST_RACE and dialer.last_call != Call.SOCKET:
                self._ports.lost_race()
                self._races[row] = races = self._races.get(row, 0) + 1
                if races <= LOST_RACES_MAX and len(ports):
                    self._orders[row, layout.PORT] = ports.take()
                    self._told[layout.AT] = row  # once more
                    return
        self._could_not(client, backend)

    def _see_to_dial(self, case: int, order: list[int]) -> None:
        """A connect that is not plain goes the way of every relay."""
        dialer = self._dialer
        client, _, source, port, upstream, ended_ns, call_ns = order
        if self._flags[upstream] & CONNECTING:  # its result is not in the log yet
            dialer.count(1)
            dialer.note(source, port, call_ns, ended_ns)
            if case != layout.ON_ITS_WAY:
                self._log.begun(dialer, self.t0_ns, upstream)
        if case == layout.ON_ITS_WAY:
            self._wait_for_connect(client, upstream, self._unwritten())
        elif case == layout.REFUSED:
            self._on_connect_error(upstream, self._told[layout.WHAT], self._unwritten())
        elif case == layout.HELD:
            self._hold_back(upstream, self._unwritten())
        elif case == layout.ODD_END:
            self._end(client)
        else:
            self._on_reset(self._told[layout.FD])

    def _could_not(self, client: int, backend: int) -> None:
        """There is no upstream: look for another backend."""
        dialer = self._dialer
        self._load.closed(backend)
        self._log.dialed(dialer, self.t0_ns, backend)
        self._tried.setdefault(client, []).append(backend)
        self._connect(client, b"", (dialer.last_call, dialer.last_error, backend))
