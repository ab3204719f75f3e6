"""A monotonic timer as a descriptor (timerfd), for roles that own their epoll.

The loops of asyncio and uvloop round their timers to a millisecond; an open-loop generator that
sends at 20,000/s needs better. Python has timerfd itself from 3.13 on; before that it is reached
through the C library.

Source: timerfd_create(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Final

_CLOCK_MONOTONIC: Final = 1
_TFD_TIMER_ABSTIME: Final = 1
_TFD_NONBLOCK: Final = 0o4000
_TFD_CLOEXEC: Final = 0o2000000

_libc = ctypes.CDLL(None, use_errno=True)


#: struct itimerspec: interval in s and ns, then the moment in s and ns.
_Spec = ctypes.c_long * 4


class Timer:
    """One timer; readable from its moment on until acknowledged. Close it when done."""

    def __init__(self) -> None:
        self._descriptor: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"timerfd_create: {os.strerror(code)}")
        self._spec = _Spec(0, 0, 0, 0)
        self._armed_ns: int | None = None

    def fileno(self) -> int:
        """The descriptor, for epoll."""
        return self._descriptor

    def set(self, at_ns: int | None) -> None:
        """Fire at this monotonic time (at once when it is past); None disarms it."""
        if at_ns == self._armed_ns:
            return
        self._armed_ns = at_ns
        # A zero value disarms, so a moment is never sooner than 1 ns after boot.
        at = 0 if at_ns is None else max(1, at_ns)
        self._spec[2], self._spec[3] = divmod(at, 1_000_000_000)
        if _libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, self._spec, None) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"timerfd_settime: {os.strerror(code)}")

    def acknowledge(self) -> None:
        """Make it unreadable again; it stays disarmed until set."""
        self._armed_ns = None
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)
