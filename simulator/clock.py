"""The clocks. Durations use the monotonic clock, which all namespaces of a run share.

Wall time is a label (when a run was started), never an operand.
"""

from __future__ import annotations

import datetime as dt
from time import clock_gettime_ns, monotonic_ns

__all__ = ["CLOCK_BOOTTIME", "boottime_ns", "monotonic_ns", "wall_label"]

CLOCK_BOOTTIME = 7  # linux/time.h; the time module names it only on some builds


def boottime_ns() -> int:
    """Monotonic time that goes on while the machine sleeps; their gap shows a suspend."""
    return clock_gettime_ns(CLOCK_BOOTTIME)


def wall_label() -> dt.datetime:
    """The wall clock in UTC, for names and labels only."""
    return dt.datetime.now(dt.UTC)
