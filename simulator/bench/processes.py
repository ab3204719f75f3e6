"""Processes and cores of a round: who runs where, and what it cost.

CPU time comes from the scheduler's account of a process in nanoseconds (/proc/<pid>/schedstat), its
division into user and kernel from /proc/<pid>/stat, whose ticks are coarser.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.kernel.namespace import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def two_cores() -> tuple[set[int], set[int]]:
    """A core for what is measured, and one for all the rest; the same where there is but one."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[0]}, set(cores[1:2] or cores)


def fork_on(body: Callable[[], object], cores: Collection[int]) -> int:
    """Run ``body`` in a child on these cores; it ends with its parent, or when it is through."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            die_with_parent()
            os.sched_setaffinity(0, cores)
            body()
            code = 0
        except BaseException:  # noqa: BLE001 - said on stderr, and seen by the parent as a code
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    return pid


@contextmanager
def started(pids: list[int]) -> Iterator[list[int]]:
    """Kill and reap these at the end; the list may grow meanwhile."""
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def cpu_s(pid: int) -> tuple[float, float]:
    """CPU time of a process so far in s, and the part of it that was the kernel's."""
    total_ns = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    stat = Path(f"/proc/{pid}/stat").read_text()
    _user, system = (int(field) for field in stat[stat.rindex(")") + 2 :].split()[11:13])
    return total_ns / 1e9, min(total_ns / 1e9, system / _TICKS_PER_S)


def write_setting(name: str, value: str) -> None:
    """Set ``net.<name>`` of the namespace this process is in; one that is missing stays so."""
    path = Path("/proc/sys/net") / name.replace(".", "/")
    if path.exists():
        path.write_text(value)
