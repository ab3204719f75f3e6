"""Who writes a run: a process named so exactly that a reused pid is not mistaken for it.

A pid alone comes back; with the moment the process was started and the boot it belongs to, it
names one process for good.
"""

from __future__ import annotations

import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process: its pid, its start in clock ticks since boot, and the boot's id."""

    pid: int
    start_ticks: int
    boot_id: str

    def as_dict(self) -> dict[str, Any]:
        """The form in the manifest."""
        return asdict(self)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None when there is no such process or it is a zombie.

    Source: proc_pid_stat(5). The name in brackets may hold blanks, so fields count from the last
    bracket.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def this_process() -> Owner:
    """The process that asks."""
    pid = os.getpid()
    return Owner(pid=pid, start_ticks=_start_ticks(pid) or 0, boot_id=_boot_id())


def is_alive(owner: Mapping[str, Any]) -> bool:
    """Whether the process in a manifest still runs on this machine."""
    pid, ticks = owner.get("pid"), owner.get("start_ticks")
    if not isinstance(pid, int) or not isinstance(ticks, int) or pid <= 0:
        return False
    return owner.get("boot_id") == _boot_id() and _start_ticks(pid) == ticks


def writes_below(pid: int, folder: Path) -> bool:
    """Whether a process has a file of a folder open for writing."""
    real = folder.resolve()
    try:
        links = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for link in links:
        try:
            if not link.readlink().is_relative_to(real):
                continue
            flags = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text(encoding="ascii")
        except OSError:  # closed meanwhile
            continue
        # Source: proc_pid_fdinfo(5); the second line is "flags:" and what open() got, in octal.
        if int(flags.split()[3], 8) & os.O_ACCMODE != os.O_RDONLY:
            return True
    return False


def interrupt(watched: int) -> None:
    """Send SIGINT to the process of a pidfd.

    Raises:
        OSError: it is gone, or somebody else's.
    """
    signal.pidfd_send_signal(watched, signal.SIGINT)
