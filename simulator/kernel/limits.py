"""What this machine allows: descriptors, memory, processors, processes, room on disk.

Only reads. Whether namespaces can be made is another question (`kernel.namespace`).
"""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: A limit that is not there is held as this number, so that comparisons need no special case.
UNLIMITED: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Limits of this machine and of this process.

    Attributes:
        descriptors_soft: open files of a process now (RLIMIT_NOFILE, soft).
        descriptors_hard: open files that a process may raise itself to.
        files_max: open files of the whole machine (fs.file-max).
        files_open: open files of the whole machine now.
        memory_available_bytes: memory that can be taken without swapping, or what the control
            group leaves, whichever is less.
        disk_free_bytes: room where results are written.
        processors: processors this process may run on.
        processes_max: processes this user may have (RLIMIT_NPROC), or the machine's limit if less.
    """

    descriptors_soft: int
    descriptors_hard: int
    files_max: int
    files_open: int
    memory_available_bytes: int
    disk_free_bytes: int
    processors: int
    processes_max: int


def read_machine(results: Path = Path()) -> Machine:
    """Read the limits now.

    Args:
        results: where results are written; the nearest folder that exists is looked at.
    """
    soft, hard = (_limit(value) for value in resource.getrlimit(resource.RLIMIT_NOFILE))
    processes, _ = (_limit(value) for value in resource.getrlimit(resource.RLIMIT_NPROC))
    opened = _numbers(Path("/proc/sys/fs/file-nr"))
    return Machine(
        descriptors_soft=soft,
        descriptors_hard=hard,
        files_max=(_numbers(Path("/proc/sys/fs/file-max")) or [UNLIMITED])[0],
        files_open=opened[0] if opened else 0,
        memory_available_bytes=min(memory_available(), _memory_left_by_cgroup()),
        disk_free_bytes=shutil.disk_usage(_existing(results)).free,
        processors=len(os.sched_getaffinity(0)),
        processes_max=min(
            processes, (_numbers(Path("/proc/sys/kernel/pid_max")) or [UNLIMITED])[0]
        ),
    )


def _limit(value: int) -> int:
    return UNLIMITED if value == resource.RLIM_INFINITY else value


def _numbers(path: Path) -> list[int]:
    """The numbers in a file of the kernel; empty when it cannot be read or holds a word."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


def memory_available() -> int:
    """MemAvailable of /proc/meminfo, in bytes.

    Source: proc_meminfo(5); the kernel's own estimate of what can be had without swapping.
    """
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return UNLIMITED


def _memory_left_by_cgroup() -> int:
    """What the control group still leaves, version 2 or 1; UNLIMITED without one."""
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        most, now = _numbers(Path(limit)), _numbers(Path(used))
        if most and now and most[0] < UNLIMITED:
            return max(0, most[0] - now[0])
    return UNLIMITED


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
