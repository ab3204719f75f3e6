"""Which processes hold some sockets, by the descriptors that /proc shows, and what it hides.

A socket's inode is the only link to a process: every process's descriptors are looked through for
it. Without root, those of other users stay hidden; the number of such processes is told, so that
*no process found* is never mistaken for *no process*.

Source: proc(5), /proc/pid/fd and /proc/pid/ns/net.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PREFIX: Final = "socket:["


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that has a socket open.

    Attributes:
        pid: as this PID namespace numbers it.
        name: its short name, whatever bytes it chose; make it safe before showing it.
        descriptor: the number of its (first) descriptor of the socket.
    """

    pid: int
    name: str
    descriptor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """What a look through all processes gave.

    Attributes:
        by_inode: the holders of each inode that was asked for and found, by pid.
        hidden: processes whose descriptors may not be read.
        other_namespaces: network namespaces, other than ours, in which visible processes live;
            each has its own ports, which are not shown here.
        unplaced: processes whose namespace may not be read, so that there may be more of them.
    """

    by_inode: dict[int, tuple[Holder, ...]]
    hidden: int
    other_namespaces: int
    unplaced: int


def find_holders(inodes: frozenset[int], *, proc: Path = _PROC) -> Holders:
    """Look through all processes for descriptors of these sockets.

    With no inode to look for, descriptors are left alone and nothing counts as hidden.

    Args:
        inodes: socket inodes; 0 is nobody's and is passed over.
        proc: where the process file system is mounted.
    """
    wanted = {f"{_PREFIX}{inode}]": inode for inode in inodes if inode}
    found: dict[int, list[Holder]] = {}
    hidden = unplaced = 0
    namespaces: set[str] = set()
    for entry in os.scandir(proc):
        if not entry.name.isdecimal():
            continue
        namespace = _link(os.path.join(entry.path, "ns", "net"))  # noqa: PTH118 - a hot loop
        if namespace:
            namespaces.add(namespace)
        else:
            unplaced += 1
        if not wanted:
            continue
        try:
            held = _sockets_of(entry.path, wanted)
        except PermissionError:
            hidden += 1
            continue
        except OSError:  # it has ended meanwhile
            continue
        for inode, descriptor in held.items():
            holder = Holder(pid=int(entry.name), name=_name(entry.path), descriptor=descriptor)
            found.setdefault(inode, []).append(holder)
    return Holders(
        by_inode={
            inode: tuple(sorted(held, key=lambda each: each.pid)) for inode, held in found.items()
        },
        hidden=hidden,
        other_namespaces=len(namespaces - {_link(str(proc / "self" / "ns" / "net"))}),
        unplaced=unplaced,
    )


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - the text is wanted, not a path
    except OSError:
        return ""


def _sockets_of(process: str, wanted: dict[str, int]) -> dict[int, int]:
    """Inode -> first descriptor of a process, for the inodes wanted."""
    held: dict[int, int] = {}
    folder = f"{process}/fd"
    for number in os.listdir(folder):  # noqa: PTH208 - a hot loop
        inode = wanted.get(_link(f"{folder}/{number}"))
        if inode is not None:
            held[inode] = min(int(number), held.get(inode, int(number)))
    return held


def _name(process: str) -> str:
    try:
        return Path(process, "comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return "?"
