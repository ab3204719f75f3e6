"""Functions of libc as compiled code calls them: by name, so that the code can be kept on disk.

Addresses are numbers here, as numba gives those of arrays. What a call fills or is shown stands in
places of the board, since an array made for one call would cost as much as the call.
"""

from __future__ import annotations

import errno as codes
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

from numba import carray, njit, types  # type: ignore[attr-defined] # carray is there

from simulator.live.compiled.cache import keep_compiled_code
from simulator.live.compiled.layout import EVENT, NUMBER, TIME
from simulator.live.reactor import READS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Row: TypeAlias = NDArray[np.int64]
    Rows: TypeAlias = NDArray[np.int64]
    Words: TypeAlias = NDArray[np.uint32]
    Bytes: TypeAlias = NDArray[np.uint8]

EAGAIN: Final = codes.EAGAIN
NO_SIGNAL: Final = int(socket.MSG_NOSIGNAL)
#: Whether compiled code is kept; there may be no folder for it.
KEEPS: Final = keep_compiled_code()
_ADD: Final = 1  # EPOLL_CTL_ADD
_READS: Final = READS & 0xFFFFFFFF
_CLOCK_MONOTONIC: Final = 1

# Types of what crosses over.
INT = types.int32
LONG = types.intp
LINE = types.int64[::1]
TABLE = types.int64[:, ::1]
WORDS = types.uint32[::1]
BYTES = types.uint8[::1]


def _libc(name: str, result: types.Type, *arguments: types.Type) -> Callable[..., int]:
    """A function of libc, found by its name where the code runs."""
    called: Callable[..., int] = types.ExternalFunction(name, result(*arguments))
    return called


epoll_wait = _libc("epoll_wait", INT, INT, LONG, INT, INT)
_epoll_ctl = _libc("epoll_ctl", INT, INT, INT, INT, LONG)
accept4 = _libc("accept4", INT, INT, LONG, LONG, INT)
recv = _libc("recv", LONG, INT, LONG, LONG, INT)
send = _libc("send", LONG, INT, LONG, LONG, INT)
open_socket = _libc("socket", INT, INT, INT, INT)
_setsockopt = _libc("setsockopt", INT, INT, INT, INT, LONG, INT)
bind = _libc("bind", INT, INT, LONG, INT)
connect = _libc("connect", INT, INT, LONG, INT)
shutdown = _libc("shutdown", INT, INT, INT)
close = _libc("close", INT, INT)
_clock_gettime = _libc("clock_gettime", INT, INT, LONG)
_errno_location = _libc("__errno_location", types.CPointer(INT))  # type: ignore[no-untyped-call]


@njit(LONG(), cache=KEEPS)
def errno_now() -> int:
    """Why the last call failed."""
    return int(carray(_errno_location(), 1)[0])  # type: ignore[call-overload]


@njit(LONG(LINE), cache=KEEPS)
def clock_ns(board: Row) -> int:
    """Monotonic time."""
    _clock_gettime(_CLOCK_MONOTONIC, board.ctypes.data + 8 * TIME)
    return int(board[TIME] * 1_000_000_000 + board[TIME + 1])


@njit(types.void(LONG, LONG, LINE), cache=KEEPS)
def watch(epoll: int, fd: int, board: Row) -> None:
    """Have epoll tell of it, by its edges."""
    board[EVENT] = fd << 32 | _READS
    board[EVENT + 1] = 0
    _epoll_ctl(epoll, _ADD, fd, board.ctypes.data + 8 * EVENT)


@njit(LONG(LONG, LONG, LONG, LONG, LINE), cache=KEEPS)
def set_option(fd: int, level: int, option: int, value: int, board: Row) -> int:
    """setsockopt() of a number; below 0 if it failed."""
    board[NUMBER] = value
    return int(_setsockopt(fd, level, option, board.ctypes.data + 8 * NUMBER, 4))
