"""Who writes a run: a process named so exactly that a reused pid is not mistaken for it.

A pid alone comes back; with the moment the process was started and the boot it belongs to, it
names one process for good.
"""

from __future__ import annotations

import os
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
