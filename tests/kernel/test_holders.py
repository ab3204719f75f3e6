"""Which process holds a socket: the kernel's own files, and a made-up /proc for what is hidden."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from simulator.kernel.holders import Holder, find_holders

if TYPE_CHECKING:
    from pathlib import Path


def inode_of(each: socket.socket) -> int:
    return os.fstat(each.fileno()).st_ino


def test_every_process_that_has_the_socket_is_named() -> None:
    with socket.socket() as ours, socket.socket() as alone:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"],
            stdin=subprocess.PIPE,
            pass_fds=[ours.fileno()],
        )
        try:
            found = find_holders(frozenset({inode_of(ours), inode_of(alone), 0}))
        finally:
            child.communicate(b"\n")
    shared = found.by_inode[inode_of_closed(found.by_inode, 2)]
    assert {holder.pid for holder in shared} == {os.getpid(), child.pid}
    single = found.by_inode[inode_of_closed(found.by_inode, 1)]
    assert [holder.pid for holder in single] == [os.getpid()]
    assert 0 not in found.by_inode


def inode_of_closed(by_inode: dict[int, tuple[Holder, ...]], holders: int) -> int:
    """The inode that has so many holders."""
    (inode,) = (inode for inode, held in by_inode.items() if len(held) == holders)
    return inode


def process(proc: Path, pid: int, *, name: str, namespace: str, links: tuple[str, ...]) -> Path:
    """A process as /proc shows it."""
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "ns").mkdir()
    (folder / "ns" / "net").symlink_to(namespace)
    (folder / "comm").write_text(f"{name}\n")
    for number, link in enumerate(links, start=3):
        (folder / "fd" / str(number)).symlink_to(link)
    return folder


def test_other_namespaces_are_counted_and_a_socket_held_twice_is_told_once(tmp_path: Path) -> None:
    process(tmp_path, 10, name="a", namespace="net:[1]", links=("socket:[7]", "socket:[7]"))
    process(tmp_path, 11, name="b", namespace="net:[2]", links=("pipe:[7]", "/socket:[7]"))
    process(tmp_path, 12, name="c", namespace="net:[3]", links=("socket:[77]",))
    (tmp_path / "self").symlink_to("10")
    (tmp_path / "13").mkdir()  # has ended while it was looked at
    found = find_holders(frozenset({7}), proc=tmp_path)
    assert found.by_inode == {7: (Holder(pid=10, name="a", descriptor=3),)}
    assert (found.hidden, found.other_namespaces, found.unplaced) == (0, 2, 1)


UNPRIVILEGED = """
import os, sys
from simulator.kernel.holders import find_holders
os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = find_holders(frozenset({int(sys.argv[1])}))
print(len(found.by_inode), found.hidden, found.unplaced)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_another_user_may_not_see_is_counted() -> None:
    with socket.socket() as ours:
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(inode_of(ours))],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    found, hidden, unplaced = map(int, done.stdout.split())
    assert found == 0
    assert hidden >= 1
    assert unplaced >= 1


def test_without_a_socket_to_look_for_no_descriptor_is_read() -> None:
    found = find_holders(frozenset({0}))
    assert found.by_inode == {}
    assert found.hidden == 0
