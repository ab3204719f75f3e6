"""What a run may leave behind when everything that guards it is killed, and whose it is.

Each process of a run carries ``PORTCHURN_RUN=<run id>:<owner pid>:<owner start ticks>`` in its
environment, and each temporary folder the owner in its name. A leftover is such a thing whose
owner is dead; a pid alone would not tell, since pids are used again, but a pid with the moment
of its start does. Only what this user owns is ever looked at; roles that root started have become
*nobody*, so root looks at those too.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.kernel.namespace import is_alive, start_ticks

RUN_VARIABLE: Final = "PORTCHURN_RUN"
TEMP_PREFIX: Final = "portchurn-"
_NOBODY: Final = 65534
_TEMP_RE: Final = re.compile(r"portchurn-(\d{1,10})-(\d{1,20})-\w+")
_TAG_RE: Final = re.compile(r"([a-zA-Z0-9._-]{1,128}):(\d{1,10}):(\d{1,20})")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftProcess:
    """A process of a run whose owner is dead.

    Attributes:
        run_id: the run it belonged to.
        ticks: when it was started, in clock ticks since boot.
        command: its name as the kernel shows it.
    """

    pid: int
    ticks: int
    run_id: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftFolder:
    """A temporary folder whose owner is dead."""

    path: Path
    owner_pid: int


def run_tag(run_id: str) -> str:
    """The value of RUN_VARIABLE for processes that this process starts for a run."""
    return f"{run_id}:{os.getpid()}:{start_ticks(os.getpid())}"


def make_temp_folder() -> Path:
    """A new private folder under the system's temporary directory that names its owner."""
    owner = f"{TEMP_PREFIX}{os.getpid()}-{start_ticks(os.getpid())}-"
    return Path(tempfile.mkdtemp(prefix=owner))


def left_folders(root: Path | None = None) -> list[LeftFolder]:
    """Our temporary folders of dead owners, by name.

    Args:
        root: where to look; default the system's temporary directory.
    """
    found = []
    for path in sorted((root or Path(tempfile.gettempdir())).iterdir()):
        match = _TEMP_RE.fullmatch(path.name)
        # A link with our name is somebody else's trick: what it points at is never touched.
        if match is None or path.is_symlink() or not path.is_dir():
            continue
        if path.stat().st_uid == os.geteuid() and not is_alive(int(match[1]), int(match[2])):
            found.append(LeftFolder(path=path, owner_pid=int(match[1])))
    return found


def left_processes() -> list[LeftProcess]:
    """Processes of this user that carry a run's tag while the run's owner is dead, by pid."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            process = _examine(int(folder.name))
            if process is not None:
                found.append(process)
    return sorted(found, key=lambda process: process.pid)


def _examine(pid: int) -> LeftProcess | None:
    folder = Path(f"/proc/{pid}")
    try:
        if folder.stat().st_uid not in _our_uids():
            return None
        ticks = start_ticks(pid)
        environment = (folder / "environ").read_bytes().split(b"\0")
        command = (folder / "comm").read_text(errors="replace").strip()
    except OSError:  # it ended, or it is not ours to read
        return None
    prefix = f"{RUN_VARIABLE}=".encode()
    for entry in environment:
        if entry.startswith(prefix):
            match = _TAG_RE.fullmatch(entry[len(prefix) :].decode(errors="replace"))
            # A zombie has ended already; only its parent can remove it.
            if match is None or is_alive(int(match[2]), int(match[3])) or not is_alive(pid, ticks):
                return None
            return LeftProcess(pid=pid, ticks=ticks, run_id=match[1], command=command)
    return None


def _our_uids() -> tuple[int, ...]:
    return (0, _NOBODY) if os.geteuid() == 0 else (os.geteuid(),)


def end_process(process: LeftProcess) -> bool:
    """Kill one leftover, unless its pid belongs to another process by now.

    The pidfd is opened before the start time is looked at again: from then on the pid cannot
    come to mean somebody else between the check and the signal.

    Returns:
        True when the signal was delivered.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(process.pid, process.ticks):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_folder(folder: LeftFolder) -> None:
    """Delete one leftover folder; links inside are removed, not followed."""
    shutil.rmtree(folder.path)
