"""A program of others as a child of a role: started, watched, measured from /proc, ended.

It dies with its role (parent-death signal) and with the namespace. It writes nothing to disk: its
configuration, its pid file and what it says on stderr are files in memory, reached as
``/proc/self/fd/N``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.kernel.namespace import die_with_parent

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_SAID: Final = 2_000


def memory_file(name: str, data: bytes = b"") -> int:
    """A descriptor of an anonymous file in memory; the caller closes it."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    rewrite(descriptor, data)
    return descriptor


def rewrite(descriptor: int, data: bytes) -> None:
    """Replace what a memory file holds."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)


def path_of(descriptor: int) -> str:
    """The path by which a child that inherits a descriptor opens it anew."""
    return f"/proc/self/fd/{descriptor}"


class Child:
    """One program and its own children.

    Args:
        loop: the role's loop.
        argv: program and arguments; no shell.
        inherits: descriptors that it gets, under the same numbers.
        environment: all that it finds in its environment.
        stderr: where it writes what it has to say.
        ended: called once, with the exit code (negative is a signal), when it ends by itself.

    Attributes:
        pid: as the host sees it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        argv: Sequence[str],
        *,
        inherits: Sequence[int],
        environment: dict[str, str],
        stderr: int,
        ended: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._ended = ended
        self._process = subprocess.Popen(
            list(argv),
            pass_fds=inherits,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            env=environment,
            cwd="/",
            process_group=0,  # with its own children, so that all end together
            preexec_fn=die_with_parent,  # noqa: PLW1509 - a role has no threads of its own
        )
        self._watched = os.pidfd_open(self._process.pid)
        self.pid = _outer_pid(self._watched)
        loop.add_reader(self._watched, self._has_ended)

    def _has_ended(self) -> None:
        self._unwatch()
        self._ended(self._end_group())

    def _unwatch(self) -> None:
        if self._watched >= 0:
            self._loop.remove_reader(self._watched)
            os.close(self._watched)
            self._watched = -1

    @property
    def is_running(self) -> bool:
        """Whether it has not been seen to end."""
        return self._watched >= 0

    def signal(self, number: int) -> None:
        """Send it a signal; one that has ended does not hear it."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it now, without a word to ``ended``."""
        if self.is_running:
            self._unwatch()
            self._end_group()

    def _end_group(self) -> int:
        """End it and its children: workers outlive a master that is killed. Its exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def family(self) -> list[int]:
        """It and its own children, as the host sees them."""
        with contextlib.suppress(OSError):
            path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
            return [self.pid, *map(int, path.read_text().split())]
        return [self.pid]

    def usage(self) -> dict[str, int]:
        """CPU and memory of it and its children, those that ended included.

        Source: proc_pid_stat(5), proc_pid_statm(5); CPU is counted in clock ticks, 10 ms each.
        """
        user = system = rss = 0
        for pid in self.family():
            with contextlib.suppress(OSError, ValueError):
                stat = Path(f"/proc/{pid}/stat").read_text()
                fields = [int(one) for one in stat[stat.rindex(")") + 2 :].split()[11:15]]
                # utime, stime, and those of the children that were waited for
                user += fields[0] + (fields[2] if pid == self.pid else 0)
                system += fields[1] + (fields[3] if pid == self.pid else 0)
                rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return {
            "user_ns": user * _TICK_NS,
            "system_ns": system * _TICK_NS,
            "rss_bytes": rss * _PAGE_BYTES,
        }


def _outer_pid(pidfd: int) -> int:
    """The pid behind a pidfd as /proc, which is the host's mount, names it."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pid":
            return int(value)
    return -1


def said(descriptor: int) -> str:
    """The end of what was written to a memory file."""
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, _SAID, max(0, size - _SAID))
    return data.decode("utf-8", "replace").strip()
