"""New connections to backends in machine code: what Python has ordered is carried out.

A connect that is through at once is all done here, up to the client's first bytes. What is not
through, or fails, stops the work at its order, for Python to see to (`layout.py` names the cases).

All connects come before the first write. The handshake's last ACK waits for the client's bytes and
travels with them (TCP_QUICKACK off makes a connecting socket delay it, which is
tcp_rcv_synsent_state_process in the kernel's net/ipv4/tcp_input.c); where there are none yet it is
sent at once, since a backend may be the first to speak. So a backend is woken for a batch, and not
twice for each connection.
"""

from __future__ import annotations

import errno as codes
import socket
from typing import TYPE_CHECKING, Final

from numba import njit

from simulator.kernel.sockets import (
    IP_BIND_ADDRESS_NO_PORT,
    IP_LOCAL_PORT_RANGE,
    STREAM,
)
from simulator.live.compiled.layout import (
    ACTIVE_NS,
    ADDRESS_BYTES,
    AT,
    BACKEND,
    BEGIN,
    BINDS,
    CALL,
    CALL_NS,
    CLIENT,
    CONNECTED_NS,
    DIALED,
    END,
    ENDED_NS,
    FAILED,
    FD,
    FLAGS,
    HALF_CLOSE,
    HELD,
    LATE,
    ODD_END,
    ON_ITS_WAY,
    PEER,
    PEER_NAME,
    PICKED,
    PORT,
    RANGE,
    REFUSED,
    ROWS,
    SOURCE,
    TAKEN_NS,
    THROUGH,
    UP,
    WAS_RESET,
    WHAT,
    WRITTEN,
)
from simulator.live.compiled.libc import (
    BYTES,
    EAGAIN,
    KEEPS,
    LINE,
    LONG,
    NO_SIGNAL,
    TABLE,
    bind,
    clock_ns,
    close,
    connect,
    errno_now,
    open_socket,
    recv,
    send,
    set_option,
    shutdown,
    watch,
)
from simulator.live.pairs import (
    CONNECTING,
    EOF,
    LIVE,
    NOBODY,
    UPSTREAM,
    WATCHED,
)
from simulator.records import Call

if TYPE_CHECKING:
    from simulator.live.compiled.libc import (
        Bytes,
        Row,
        Rows,
    )

_EMFILE: Final = codes.EMFILE
_EINPROGRESS: Final = codes.EINPROGRESS
_SHUT_WR: Final = int(socket.SHUT_WR)
_IP: Final = int(socket.IPPROTO_IP)
_SOCKET: Final = int(socket.SOL_SOCKET)
_REUSE: Final = int(socket.SO_REUSEADDR)
_INET: Final = int(socket.AF_INET)
_TCP: Final = int(socket.IPPROTO_TCP)
_QUICK_ACK: Final = int(socket.TCP_QUICKACK)
_SOCKET_CALL: Final = int(Call.SOCKET)
_BIND_CALL: Final = int(Call.BIND)
_CONNECT_CALL: Final = int(Call.CONNECT)


@njit(LONG(LINE, LINE, LINE, LONG, TABLE, TABLE), cache=KEEPS)
def _open(order: Row, how: Row, board: Row, capacity: int, endpoints: Rows, sources: Rows) -> int:
    """A socket that connects; or -1, and the board says what failed."""
    board[CALL_NS] = 0
    fd = open_socket(_INET, STREAM, 0)
    if fd < 0 or fd >= capacity:
        board[WHAT], board[CALL] = errno_now() if fd < 0 else _EMFILE, _SOCKET_CALL
        if fd >= 0:
            close(fd)
        return -1
    began_ns = clock_ns(board)
    result = set_option(fd, _TCP, _QUICK_ACK, 0, board)
    if how[RANGE]:
        result |= set_option(fd, _IP, IP_LOCAL_PORT_RANGE, how[RANGE], board)
    if how[LATE]:
        result |= set_option(fd, _IP, IP_BIND_ADDRESS_NO_PORT, 1, board)
    if how[BINDS]:
        port = order[PORT]
        if port:
            result |= set_option(fd, _SOCKET, _REUSE, 1, board)
        # The port in network order behind the family; see `_address`.
        board[PEER_NAME] = sources[order[SOURCE], 0] | (port >> 8) << 16 | (port & 0xFF) << 24
        board[PEER_NAME + 1] = 0
        if result == 0:
            result = bind(fd, board.ctypes.data + 8 * PEER_NAME, ADDRESS_BYTES)
    call = _BIND_CALL
    if result == 0:
        call = _CONNECT_CALL
        name = endpoints.ctypes.data + ADDRESS_BYTES * order[PICKED]
        result = connect(fd, name, ADDRESS_BYTES)
    code = errno_now() if result < 0 else 0
    board[ENDED_NS] = clock_ns(board)
    board[CALL_NS] = board[ENDED_NS] - began_ns
    if code and (call == _BIND_CALL or code != _EINPROGRESS):
        close(fd)
        board[WHAT], board[CALL] = code, call
        return -1
    return fd


@njit(LONG(LINE, LONG, LONG, LINE, TABLE, TABLE, BYTES), cache=KEEPS)
def _first_write(
    order: Row, epoll: int, t0_ns: int, board: Row, state: Rows, dials: Rows, data: Bytes
) -> int:
    """Write what the client has sent; the answer tells whether the connect is through."""
    client, upstream = order[CLIENT], order[DIALED]
    start = data.ctypes.data
    board[FD], board[BEGIN], board[END] = upstream, 0, 0
    size = recv(client, start, data.size, 0)
    if size < 0:
        if errno_now() != EAGAIN:
            board[FD] = client
            return WAS_RESET
        size = 0
    elif size == 0:
        state[client, FLAGS] |= EOF
    if size == 0:
        set_option(upstream, _TCP, _QUICK_ACK, 1, board)
    board[UP] += size
    board[END] = size
    # Nothing to write is a question too: the kernel answers EAGAIN until connected.
    sent = send(upstream, start, size, NO_SIGNAL)
    if sent < 0:
        board[WHAT] = errno_now()
        return ON_ITS_WAY if board[WHAT] == EAGAIN else REFUSED
    row = dials[board[ROWS]]
    board[ROWS] += 1
    row[0], row[1] = order[CONNECTED_NS] - t0_ns, order[TAKEN_NS]
    row[2], row[3], row[4] = order[PICKED], order[SOURCE], order[PORT]
    row[5], row[6] = 0, _CONNECT_CALL
    state[upstream, FLAGS] = LIVE | UPSTREAM
    watch(epoll, upstream, board)
    state[client, FLAGS] |= WATCHED
    watch(epoll, client, board)
    if sent < size:
        board[BEGIN] = sent
        return HELD
    if not state[client, FLAGS] & EOF:
        return THROUGH
    if not board[HALF_CLOSE]:
        board[FD] = client
        return ODD_END
    return WAS_RESET if shutdown(upstream, _SHUT_WR) < 0 else THROUGH


@njit(LONG(LONG, LONG, LONG, LINE, LINE, TABLE, TABLE, TABLE, TABLE, TABLE, BYTES), cache=KEEPS)
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
    """Carry out orders: open an upstream for each from AT on, write what the client has said to it.

    Args:
        count: orders there are.
        epoll: descriptor.
        t0_ns: moments in `dials` count from here.
        how: places above; how a source port is taken.
        board: AT is the order to connect next, WRITTEN the one to write next.
        state: of all descriptors.
        orders: what to do; its last columns are set.
        endpoints: struct sockaddr_in of each backend, two words a row.
        sources: likewise of each source address, its port 0.
        dials: rows of DIAL_COLUMNS, of connects whose result is known; ROWS says how many.
        data: bytes; its length is the most that is read at once.

    Returns:
        THROUGH, or why this stopped behind an order (of AT if FAILED, else of WRITTEN); call again
        to go on.
    """
    while board[AT] < count:
        order = orders[board[AT]]
        board[AT] += 1
        order[DIALED] = NOBODY
        if order[PICKED] < 0:
            continue
        upstream = _open(order, how, board, len(state), endpoints, sources)
        if upstream < 0:
            return FAILED
        order[DIALED] = upstream
        order[CONNECTED_NS], order[TAKEN_NS] = board[ENDED_NS], board[CALL_NS]
        client = order[CLIENT]
        state[upstream, FLAGS] = LIVE | UPSTREAM | CONNECTING
        state[upstream, PEER] = client
        state[client, PEER] = upstream
        state[upstream, BACKEND] = order[PICKED]
        state[upstream, ACTIVE_NS] = board[ENDED_NS]
    stopped = THROUGH
    while board[WRITTEN] < count and stopped == THROUGH:
        order = orders[board[WRITTEN]]
        board[WRITTEN] += 1
        if order[DIALED] >= 0:
            stopped = _first_write(order, epoll, t0_ns, board, state, dials, data)
    return stopped
