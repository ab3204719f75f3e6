"""Calls to libc: their results, their errors, the numbers that they are shown."""

from __future__ import annotations

import errno
import os
import select
import socket
from time import monotonic_ns
from typing import Any

import numpy as np
from numba import njit

from simulator.live.compiled import layout
from simulator.live.compiled.libc import (
    clock_ns,
    close,
    errno_now,
    open_socket,
    recv,
    set_option,
    watch,
)

BOARD = np.zeros(layout.BOARD_PLACES, np.int64)


def _fail(fd: int, data: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> tuple[int, int]:
    """A call that fails, and why."""
    return recv(fd, data.ctypes.data, data.size, 0), errno_now()


def _open_and_close(family: int, kind: int) -> tuple[int, int]:
    """A descriptor, and what closing it twice says."""
    fd = open_socket(family, kind, 0)
    return close(fd), close(fd)


# Any, since the types of numba know no function of two results.
fail: Any = njit(_fail)
open_and_close: Any = njit(_open_and_close)


def test_errors_are_those_of_the_call() -> None:
    assert fail(-1, np.zeros(8, np.uint8)) == (-1, errno.EBADF)
    with socket.socket() as unconnected:
        assert fail(unconnected.fileno(), np.zeros(8, np.uint8)) == (-1, errno.ENOTCONN)


def test_descriptors_are_opened_and_closed() -> None:
    assert open_and_close(int(socket.AF_INET), int(socket.SOCK_STREAM)) == (0, -1)


def test_the_clock_is_the_monotonic_one() -> None:
    before = monotonic_ns()
    assert before <= clock_ns(BOARD) <= monotonic_ns()


def test_an_option_is_set_to_its_number() -> None:
    with socket.socket() as sock:
        level, option = int(socket.IPPROTO_TCP), int(socket.TCP_NODELAY)
        assert set_option(sock.fileno(), level, option, 1, BOARD) == 0
        assert sock.getsockopt(level, option)
        assert set_option(-1, level, option, 1, BOARD) == -1


def test_what_is_watched_is_told_of_once_by_its_edge() -> None:
    read_end, write_end = os.pipe()
    with select.epoll() as epoll:
        watch(epoll.fileno(), read_end, BOARD)
        os.write(write_end, b"x")
        assert epoll.poll(0) == [(read_end, select.EPOLLIN)]
        assert epoll.poll(0) == []
    os.close(read_end)
    os.close(write_end)
