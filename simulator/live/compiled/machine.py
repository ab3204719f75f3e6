"""The hot loop of a relay in machine code: libc calls on descriptors, and one row of numbers each.

Numba compiles these functions (nopython). Nothing here decides: which backend and which source port
is Python's choice, made for all clients that one `accept` took and carried out by one `dial`. Nor
is anything odd done here. Where a connection leaves the plain path (a write that is not taken, a
reset, a connect that is not through at once, a full read) the function returns to Python with the
case on its board, Python does what it does for every relay, and calls again to go on with what is
left. Arrays and their places are those of `layout.py`.
"""

from __future__ import annotations

import errno as codes
import select
import socket
from typing import TYPE_CHECKING, Final

from numba import njit, types

from simulator.live.compiled.layout import (
    ACCEPTED_NS,
    ACTIVE_NS,
    ADDRESS,
    ADDRESS_BYTES,
    AT,
    BACKEND,
    BEGIN,
    CLIENT,
    CLOSED,
    DUE,
    END,
    ENDED,
    ERROR,
    EVENT_WORDS,
    EVENTS,
    FD,
    FLAGS,
    FULL,
    HALF_CLOSE,
    HELD,
    ODD_END,
    PEER,
    PEER_NAME,
    STRANGE,
    THROUGH,
    UP,
    WAS_RESET,
    WHAT,
    WRITE_FAILED,
)
from simulator.live.compiled.libc import (
    BYTES,
    EAGAIN,
    KEEPS,
    LINE,
    LONG,
    NO_SIGNAL,
    TABLE,
    WORDS,
    accept4,
    clock_ns,
    close,
    epoll_wait,
    errno_now,
    recv,
    send,
    set_option,
    shutdown,
)
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
from simulator.live.reactor import (
    EPOLLOUT,
    EPOLLRDHUP,
)

if TYPE_CHECKING:
    from simulator.live.compiled.libc import (
        Bytes,
        Row,
        Rows,
        Words,
    )

_PLAIN: Final = LIVE
_MUST_NOT: Final = ~(UPSTREAM | WATCHED | PROMPT)
_PEER_MUST_NOT: Final = CONNECTING | WATCHED_OUT
_ENDS_PLAINLY: Final = ~(UPSTREAM | WATCHED | PROMPT | EOF)
_EMFILE: Final = codes.EMFILE
_HUNG_UP: Final = EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_SHUT_WR: Final = int(socket.SHUT_WR)
_TCP: Final = int(socket.IPPROTO_TCP)
_NO_DELAY: Final = int(socket.TCP_NODELAY)
_ACCEPT_FLAGS: Final = int(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)


@njit(types.void(LINE, TABLE), cache=KEEPS)
def close_ended(board: Row, ended: Rows) -> None:
    """Close the descriptors of `ended`, once."""
    if not board[CLOSED]:
        for row in range(board[ENDED]):
            close(ended[row, 1])
            close(ended[row, 0])
        board[CLOSED] = 1


@njit(LONG(LONG, LONG, LINE, TABLE, TABLE), cache=KEEPS)
def _pass_end(fd: int, peer: int, board: Row, state: Rows, ended: Rows) -> int:
    """One side sends no more: tell the other, or end both if that is all there was to wait for."""
    state[fd, FLAGS] |= EOF
    if board[HALF_CLOSE] and not state[peer, FLAGS] & EOF:
        if shutdown(peer, _SHUT_WR) < 0:
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


@njit(LONG(LONG, LONG, LONG, LINE, TABLE, TABLE, BYTES), cache=KEEPS)
def _move(fd: int, peer: int, what: int, board: Row, state: Rows, ended: Rows, data: Bytes) -> int:
    """Read one side until the kernel has no more, and write it to the other."""
    start = data.ctypes.data
    while True:
        size = recv(fd, start, data.size, 0)
        if size < 0:
            if errno_now() == EAGAIN:
                return THROUGH
            board[FD] = fd
            return WAS_RESET
        if size == 0:
            return _pass_end(fd, peer, board, state, ended)
        board[UP + (state[fd, FLAGS] & UPSTREAM)] += size
        if not state[peer, FLAGS] & PROMPT:
            # The second write to an upstream is the first that could wait for an acknowledgement.
            state[peer, FLAGS] |= PROMPT
            set_option(peer, _TCP, _NO_DELAY, 1, board)
        sent = send(peer, start, size, NO_SIGNAL)
        if sent < 0:
            if errno_now() != EAGAIN:
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


@njit(LONG(LONG, LONG, LONG, LINE, TABLE, WORDS, TABLE, TABLE, BYTES), cache=KEEPS)
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
        board[EVENTS] = max(0, epoll_wait(epoll, events.ctypes.data, room, 0))
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


@njit(LONG(LONG), cache=KEEPS)
def _address(name: int) -> int:
    """The first 8 bytes of a struct sockaddr_in as address and port, address first."""
    swapped = 0
    for byte in (4, 5, 6, 7, 2, 3):
        swapped = swapped << 8 | (name >> 8 * byte & 0xFF)
    return swapped


@njit(LONG(LONG, LINE, TABLE, TABLE), cache=KEEPS)
def accept(listener: int, board: Row, state: Rows, orders: Rows) -> int:
    """Take clients from the listener, as many as there are orders; ERROR says why no more.

    Returns:
        How many; each has its order and its row.
    """
    board[ERROR] = 0
    count = 0
    name = board.ctypes.data + 8 * PEER_NAME
    now_ns = clock_ns(board)
    while count < len(orders):
        board[PEER_NAME + 2] = ADDRESS_BYTES
        fd = accept4(listener, name, name + ADDRESS_BYTES, _ACCEPT_FLAGS)
        if fd >= len(state):
            close(fd)
            board[ERROR] = _EMFILE
            break
        if fd < 0:
            board[ERROR] = errno_now()
            break
        state[fd, FLAGS] = LIVE | PROMPT  # inherited from the listener
        state[fd, PEER] = NOBODY
        state[fd, ACTIVE_NS] = state[fd, ACCEPTED_NS] = now_ns
        state[fd, ADDRESS] = _address(board[PEER_NAME])
        orders[count, CLIENT] = fd
        count += 1
    return count
