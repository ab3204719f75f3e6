"""The hot loop of a relay in machine code: libc calls on descriptors, and one row of numbers each.

Numba compiles these functions (nopython); they call libc by name, so the compiled code can be kept
on disk. Nothing here decides: which backend and which source port is Python's choice, made for all
clients that one `accept` took and carried out by one `dial`. Nor is anything odd done here. Where a
connection leaves the plain path (a write that is not taken, a reset, a connect that is not through
at once, a full read) the function returns to Python with the case on its board, Python does what it
does for every relay, and calls again to go on with what is left.

All arrays are int64 but for bytes and events:

``state``   one row for each descriptor, a cache line long; columns below
``board``   numbers that both sides read and write; places below
``ended``   one row for each pair that has ended: client, upstream, backend
``strange`` descriptors and their events, in pairs, for Python to see to
``orders``  one row for each client to be dialed for; columns below

This is one file because numba knows a cached function by the file it stands in, not by the files
of what it calls.
"""

from __future__ import annotations

import errno as codes
import select
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

from numba import carray, njit, types  # type: ignore[attr-defined] # carray is there

from simulator.kernel.sockets import (
    IP_BIND_ADDRESS_NO_PORT,
    IP_LOCAL_PORT_RANGE,
    STREAM,
)
from simulator.live.compiled.cache import keep_compiled_code
from simulator.live.pairs import (
    CONNECTING,
    EOF,
    LIVE,
    NOBODY,
    PROMPT,
    UPSTREAM,
    WATCHED,
    WATCHED_OUT,
)
from simulator.live.reactor import EPOLLOUT, EPOLLRDHUP, READS
from simulator.records import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Row: TypeAlias = NDArray[np.int64]
    Rows: TypeAlias = NDArray[np.int64]
    Words: TypeAlias = NDArray[np.uint32]
    Bytes: TypeAlias = NDArray[np.uint8]

# Columns of `state`.
FLAGS: Final = 0
PEER: Final = 1
ACTIVE_NS: Final = 2
BACKEND: Final = 3
ACCEPTED_NS: Final = 4
ADDRESS: Final = 5  # IPv4 address as a number, 16 bits of port
STATE_COLUMNS: Final = 8

# Places on the `board`.
UP: Final = 0  # bytes from clients, ever
DOWN: Final = 2  # bytes from backends, ever; as far from UP as UPSTREAM says
EVENTS: Final = 3  # taken from the kernel in this turn, below 0 when that is still to be done
AT: Final = 4  # the event, or the order, that is looked at
STRANGE: Final = 5  # pairs of `strange` in use
ENDED: Final = 6  # rows of `ended` in use
CLOSED: Final = 7  # whether those are closed
DUE: Final = 8  # whether the listener has clients
FD: Final = 9  # of the case that stopped a turn or a dial
WHAT: Final = 10  # its events, or its errno
BEGIN: Final = 11  # bytes of `data` that are left to be written: from here
END: Final = 12  # to here
ERROR: Final = 13  # errno that ended an accept
CALL: Final = 14  # call that failed in a dial
ENDED_NS: Final = 15  # when connect() returned
CALL_NS: Final = 16  # time inside bind() and connect()
ROWS: Final = 17  # rows of `dials` in use
_TIME: Final = 18  # struct timespec
_PEER_NAME: Final = 20  # struct sockaddr_in, and its length behind it
_NUMBER: Final = 23  # an option's value
_EVENT: Final = 24  # struct epoll_event
BOARD_PLACES: Final = 26

# Columns of `orders`.
CLIENT: Final = 0
PICKED: Final = 1  # backend, or below 0: nothing to do
SOURCE: Final = 2  # index of the source address
PORT: Final = 3  # source port, 0 where the kernel picks
DIALED: Final = 4  # the upstream, set here; below 0 if there is none
ORDER_COLUMNS: Final = 5

# Places of `how`.
BINDS: Final = 0  # whether bind() is called at all
LATE: Final = 1  # IP_BIND_ADDRESS_NO_PORT
RANGE: Final = 2  # IP_LOCAL_PORT_RANGE, 0 for none
HOW_PLACES: Final = 3

# Why a function returned. Of a turn:
THROUGH: Final = 0
HELD: Final = 1  # FD did not take all of `data`
FULL: Final = 2  # FD had more than `data` holds: bulk
WAS_RESET: Final = 3  # reading FD failed
WRITE_FAILED: Final = 4  # writing to FD failed
ODD_END: Final = 8  # both sides of client FD have ended, and it is not plain
# Of a dial, besides HELD and WAS_RESET:
FAILED: Final = 5  # CALL failed with WHAT; there is no upstream
ON_ITS_WAY: Final = 6  # the connect is not through yet
REFUSED: Final = 7  # the connect that seemed on its way failed with WHAT

EVENT_WORDS: Final = 3  # struct epoll_event is packed: 4 bytes of events, 8 of data
ADDRESS_BYTES: Final = 16  # struct sockaddr_in
_PLAIN: Final = LIVE
_MUST_NOT: Final = ~(UPSTREAM | WATCHED | PROMPT)
_PEER_MUST_NOT: Final = CONNECTING | WATCHED_OUT
_ENDS_PLAINLY: Final = ~(UPSTREAM | WATCHED | PROMPT | EOF)
_EAGAIN: Final = codes.EAGAIN
_EMFILE: Final = codes.EMFILE
_EINPROGRESS: Final = codes.EINPROGRESS
_HUNG_UP: Final = EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_ADD: Final = 1  # EPOLL_CTL_ADD
_READS: Final = READS & 0xFFFFFFFF
_CLOCK_MONOTONIC: Final = 1
_NO_SIGNAL: Final = int(socket.MSG_NOSIGNAL)
_SHUT_WR: Final = int(socket.SHUT_WR)
_TCP: Final = int(socket.IPPROTO_TCP)
_NO_DELAY: Final = int(socket.TCP_NODELAY)
_IP: Final = int(socket.IPPROTO_IP)
_SOCKET: Final = int(socket.SOL_SOCKET)
_REUSE: Final = int(socket.SO_REUSEADDR)
_INET: Final = int(socket.AF_INET)
_SOCKET_CALL: Final = int(Call.SOCKET)
_BIND_CALL: Final = int(Call.BIND)
_CONNECT_CALL: Final = int(Call.CONNECT)
_ACCEPT_FLAGS: Final = int(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

_int = types.int32
_long = types.intp  # also addresses: numba gives those of arrays as numbers

_KEEPS: Final = keep_compiled_code()


def _libc(name: str, result: types.Type, *arguments: types.Type) -> Callable[..., int]:
    """A function of libc, found by its name where the code runs."""
    called: Callable[..., int] = types.ExternalFunction(name, result(*arguments))
    return called


_row = types.int64[::1]
_rows = types.int64[:, ::1]
_words = types.uint32[::1]
_bytes = types.uint8[::1]
_epoll_wait = _libc("epoll_wait", _int, _int, _long, _int, _int)
_epoll_ctl = _libc("epoll_ctl", _int, _int, _int, _int, _long)
_accept4 = _libc("accept4", _int, _int, _long, _long, _int)
_recv = _libc("recv", _long, _int, _long, _long, _int)
_send = _libc("send", _long, _int, _long, _long, _int)
_socket = _libc("socket", _int, _int, _int, _int)
_setsockopt = _libc("setsockopt", _int, _int, _int, _int, _long, _int)
_bind = _libc("bind", _int, _int, _long, _int)
_connect = _libc("connect", _int, _int, _long, _int)
_shutdown = _libc("shutdown", _int, _int, _int)
_close = _libc("close", _int, _int)
_clock_gettime = _libc("clock_gettime", _int, _int, _long)
_errno_location = _libc("__errno_location", types.CPointer(_int))  # type: ignore[no-untyped-call]


@njit(_long(), cache=_KEEPS)
def _errno() -> int:
    return int(carray(_errno_location(), 1)[0])  # type: ignore[call-overload]


@njit(_long(_row), cache=_KEEPS)
def _now_ns(board: Row) -> int:
    _clock_gettime(_CLOCK_MONOTONIC, board.ctypes.data + 8 * _TIME)
    return int(board[_TIME] * 1_000_000_000 + board[_TIME + 1])


@njit(types.void(_long, _long, _row), cache=_KEEPS)
def _watch(epoll: int, fd: int, board: Row) -> None:
    board[_EVENT] = fd << 32 | _READS
    board[_EVENT + 1] = 0
    _epoll_ctl(epoll, _ADD, fd, board.ctypes.data + 8 * _EVENT)


@njit(_long(_long, _long, _long, _long, _row), cache=_KEEPS)
def _set_option(fd: int, level: int, option: int, value: int, board: Row) -> int:
    board[_NUMBER] = value
    return int(_setsockopt(fd, level, option, board.ctypes.data + 8 * _NUMBER, 4))


@njit(types.void(_row, _rows), cache=_KEEPS)
def close_ended(board: Row, ended: Rows) -> None:
    """Close the descriptors of `ended`, once."""
    if not board[CLOSED]:
        for row in range(board[ENDED]):
            _close(ended[row, 1])
            _close(ended[row, 0])
        board[CLOSED] = 1


@njit(_long(_long, _long, _row, _rows, _rows), cache=_KEEPS)
def _pass_end(fd: int, peer: int, board: Row, state: Rows, ended: Rows) -> int:
    """One side sends no more: tell the other, or end both if that was the second."""
    state[fd, FLAGS] |= EOF
    if not state[peer, FLAGS] & EOF:
        if _shutdown(peer, _SHUT_WR) < 0:
            board[FD] = peer
            return WAS_RESET
        return THROUGH
    client, upstream = (peer, fd) if state[fd, FLAGS] & UPSTREAM else (fd, peer)
    if (state[fd, FLAGS] | state[peer, FLAGS]) & _ENDS_PLAINLY != LIVE:
        board[FD] = client
        return ODD_END
    state[client, FLAGS] = state[upstream, FLAGS] = 0
    row = board[ENDED]
    ended[row, 0], ended[row, 1], ended[row, 2] = client, upstream, state[upstream, BACKEND]
    board[ENDED] = row + 1
    return THROUGH


@njit(_long(_long, _long, _long, _row, _rows, _rows, _bytes), cache=_KEEPS)
def _move(fd: int, peer: int, what: int, board: Row, state: Rows, ended: Rows, data: Bytes) -> int:
    """Read one side until the kernel has no more, and write it to the other."""
    start = data.ctypes.data
    while True:
        size = _recv(fd, start, data.size, 0)
        if size < 0:
            if _errno() == _EAGAIN:
                return THROUGH
            board[FD] = fd
            return WAS_RESET
        if size == 0:
            return _pass_end(fd, peer, board, state, ended)
        board[UP + (state[fd, FLAGS] & UPSTREAM)] += size
        if not state[peer, FLAGS] & PROMPT:
            # The second write to an upstream is the first that could wait for an acknowledgement.
            state[peer, FLAGS] |= PROMPT
            _set_option(peer, _TCP, _NO_DELAY, 1, board)
        sent = _send(peer, start, size, _NO_SIGNAL)
        if sent < 0:
            if _errno() != _EAGAIN:
                board[FD] = peer
                return WRITE_FAILED
            sent = 0
        if sent < size:
            board[FD], board[BEGIN], board[END] = peer, sent, size
            return HELD
        if size == data.size:
            board[FD], board[WHAT] = fd, what
            return FULL
        if not what & _HUNG_UP:
            return THROUGH


@njit(_long(_long, _long, _long, _row, _rows, _words, _rows, _rows, _bytes), cache=_KEEPS)
def turn(  # noqa: PLR0913, PLR0917 - arrays cross over one by one
    epoll: int,
    listener: int,
    now_ns: int,
    board: Row,
    state: Rows,
    events: Words,
    strange: Rows,
    ended: Rows,
    data: Bytes,
) -> int:
    """Take events and move what they announce; or go on with those taken before.

    Args:
        epoll: descriptor.
        listener: its events are noted on the board.
        now_ns: monotonic time.
        board: EVENTS is below 0 when a turn begins, and not when it goes on.
        state: of all descriptors.
        events: uint32, room for as many struct epoll_event as one turn takes.
        strange: as long, for those not handled here.
        ended: as long.
        data: bytes; its length is the most that is read at once.

    Returns:
        THROUGH, or why this stopped at an event; call again to go on behind it.
    """
    if board[EVENTS] < 0:
        room = events.size // EVENT_WORDS
        board[EVENTS] = max(0, _epoll_wait(epoll, events.ctypes.data, room, 0))
        board[AT] = board[STRANGE] = board[ENDED] = board[CLOSED] = board[DUE] = 0
    stopped = THROUGH
    while board[AT] < board[EVENTS] and stopped == THROUGH:
        at = board[AT] * EVENT_WORDS
        board[AT] += 1
        what, fd = int(events[at]), int(events[at + 1])
        if fd == listener:
            board[DUE] = 1
            continue
        flags = state[fd, FLAGS]
        peer = state[fd, PEER]
        if flags & _MUST_NOT != _PLAIN or what & EPOLLOUT or state[peer, FLAGS] & _PEER_MUST_NOT:
            strange[board[STRANGE], 0] = fd
            strange[board[STRANGE], 1] = what
            board[STRANGE] += 1
            continue
        state[fd, ACTIVE_NS] = now_ns
        stopped = _move(fd, peer, what, board, state, ended, data)
    if stopped == THROUGH and not board[STRANGE]:
        # What is strange may open descriptors before the events of this turn are through; they
        # must not have the numbers of those that had events in it. Then Python says when.
        close_ended(board, ended)
    return stopped


@njit(_long(_long), cache=_KEEPS)
def _address(name: int) -> int:
    """The first 8 bytes of a struct sockaddr_in as address and port, address first."""
    swapped = 0
    for byte in (4, 5, 6, 7, 2, 3):
        swapped = swapped << 8 | (name >> 8 * byte & 0xFF)
    return swapped


@njit(_long(_long, _row, _rows, _rows), cache=_KEEPS)
def accept(listener: int, board: Row, state: Rows, orders: Rows) -> int:
    """Take clients from the listener, as many as there are orders; ERROR says why no more.

    Returns:
        How many; each has its order and its row.
    """
    board[ERROR] = 0
    count = 0
    name = board.ctypes.data + 8 * _PEER_NAME
    now_ns = _now_ns(board)
    while count < len(orders):
        board[_PEER_NAME + 2] = ADDRESS_BYTES
        fd = _accept4(listener, name, name + ADDRESS_BYTES, _ACCEPT_FLAGS)
        if fd >= len(state):
            _close(fd)
            board[ERROR] = _EMFILE
            break
        if fd < 0:
            board[ERROR] = _errno()
            break
        state[fd, FLAGS] = LIVE | PROMPT  # inherited from the listener
        state[fd, PEER] = NOBODY
        state[fd, ACTIVE_NS] = state[fd, ACCEPTED_NS] = now_ns
        state[fd, ADDRESS] = _address(board[_PEER_NAME])
        orders[count, CLIENT] = fd
        count += 1
    return count


@njit(_long(_row, _row, _row, _long, _rows, _rows), cache=_KEEPS)
def _open(order: Row, how: Row, board: Row, capacity: int, endpoints: Rows, sources: Rows) -> int:
    """A socket that connects; or -1, and the board says what failed."""
    board[CALL_NS] = 0
    fd = _socket(_INET, STREAM, 0)
    if fd < 0 or fd >= capacity:
        board[WHAT], board[CALL] = _errno() if fd < 0 else _EMFILE, _SOCKET_CALL
        if fd >= 0:
            _close(fd)
        return -1
    began_ns = _now_ns(board)
    result = 0
    if how[RANGE]:
        result |= _set_option(fd, _IP, IP_LOCAL_PORT_RANGE, how[RANGE], board)
    if how[LATE]:
        result |= _set_option(fd, _IP, IP_BIND_ADDRESS_NO_PORT, 1, board)
    if how[BINDS]:
        port = order[PORT]
        if port:
            result |= _set_option(fd, _SOCKET, _REUSE, 1, board)
        # The port in network order behind the family; see `_address`.
        board[_PEER_NAME] = sources[order[SOURCE], 0] | (port >> 8) << 16 | (port & 0xFF) << 24
        board[_PEER_NAME + 1] = 0
        if result == 0:
            result = _bind(fd, board.ctypes.data + 8 * _PEER_NAME, ADDRESS_BYTES)
    call = _BIND_CALL
    if result == 0:
        call = _CONNECT_CALL
        name = endpoints.ctypes.data + ADDRESS_BYTES * order[PICKED]
        result = _connect(fd, name, ADDRESS_BYTES)
    code = _errno() if result < 0 else 0
    board[ENDED_NS] = _now_ns(board)
    board[CALL_NS] = board[ENDED_NS] - began_ns
    if code and (call == _BIND_CALL or code != _EINPROGRESS):
        _close(fd)
        board[WHAT], board[CALL] = code, call
        return -1
    return fd


@njit(_long(_row, _long, _long, _row, _rows, _rows, _bytes), cache=_KEEPS)
def _first_write(
    order: Row, epoll: int, t0_ns: int, board: Row, state: Rows, dials: Rows, data: Bytes
) -> int:
    """Write what the client has sent; the answer tells whether the connect is through."""
    client, upstream = order[CLIENT], order[DIALED]
    start = data.ctypes.data
    board[FD], board[BEGIN], board[END] = upstream, 0, 0
    size = _recv(client, start, data.size, 0)
    if size < 0:
        if _errno() != _EAGAIN:
            board[FD] = client
            return WAS_RESET
        size = 0
    elif size == 0:
        state[client, FLAGS] |= EOF
    board[UP] += size
    board[END] = size
    # Nothing to write is a question too: the kernel answers EAGAIN until connected.
    sent = _send(upstream, start, size, _NO_SIGNAL)
    if sent < 0:
        board[WHAT] = _errno()
        return ON_ITS_WAY if board[WHAT] == _EAGAIN else REFUSED
    row = dials[board[ROWS]]
    board[ROWS] += 1
    row[0], row[1] = board[ENDED_NS] - t0_ns, board[CALL_NS]
    row[2], row[3], row[4] = order[PICKED], order[SOURCE], order[PORT]
    row[5], row[6] = 0, _CONNECT_CALL
    state[upstream, FLAGS] = LIVE | UPSTREAM
    _watch(epoll, upstream, board)
    state[client, FLAGS] |= WATCHED
    _watch(epoll, client, board)
    if sent < size:
        board[BEGIN] = sent
        return HELD
    if state[client, FLAGS] & EOF and _shutdown(upstream, _SHUT_WR) < 0:
        return WAS_RESET
    return THROUGH


@njit(
    _long(_long, _long, _long, _row, _row, _rows, _rows, _rows, _rows, _rows, _bytes), cache=_KEEPS
)
def dial(  # noqa: PLR0913, PLR0917
    count: int,
    epoll: int,
    t0_ns: int,
    how: Row,
    board: Row,
    state: Rows,
    orders: Rows,
    endpoints: Rows,
    sources: Rows,
    dials: Rows,
    data: Bytes,
) -> int:
    """Carry out orders from AT on: open an upstream, write what the client has said to it.

    Args:
        count: orders there are.
        epoll: descriptor.
        t0_ns: moments in `dials` count from here.
        how: places above; how a source port is taken.
        board: AT is the order to begin with.
        state: of all descriptors.
        orders: what to do; DIALED is set.
        endpoints: struct sockaddr_in of each backend, two words a row.
        sources: likewise of each source address, its port 0.
        dials: rows of DIAL_COLUMNS, of connects whose result is known; ROWS says how many.
        data: bytes; its length is the most that is read at once.

    Returns:
        THROUGH, or why this stopped behind an order; call again to go on.
    """
    stopped = THROUGH
    while board[AT] < count and stopped == THROUGH:
        order = orders[board[AT]]
        board[AT] += 1
        order[DIALED] = NOBODY
        if order[PICKED] < 0:
            continue
        upstream = _open(order, how, board, len(state), endpoints, sources)
        if upstream < 0:
            return FAILED
        order[DIALED] = upstream
        client = order[CLIENT]
        state[upstream, FLAGS] = LIVE | UPSTREAM | CONNECTING
        state[upstream, PEER] = client
        state[client, PEER] = upstream
        state[upstream, BACKEND] = order[PICKED]
        state[upstream, ACTIVE_NS] = board[ENDED_NS]
        stopped = _first_write(order, epoll, t0_ns, board, state, dials, data)
    return stopped
