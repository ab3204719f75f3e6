"""A namespace of one's own, the end of those in it, and the loss of every right over the host.

Each test body runs in a forked child, since nobody can leave a namespace once entered.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from simulator.errors import Refused
from simulator.kernel.namespace import (
    CLONE_NEWNET,
    confine,
    die_with_parent,
    enter_namespaces,
    is_alive,
    outer_pid,
    start_ticks,
)
from tests.support.namespace import Child

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

pytestmark = pytest.mark.namespace

NOBODY = 65534
PR_SET_DUMPABLE = 4
libc = ctypes.CDLL(None, use_errno=True)


def in_child(body: Callable[[], R]) -> R:
    """The result of a body run in a forked child, whatever that does to itself."""
    child = Child(lambda _pipe: body(), alarm_s=20)
    try:
        result: R = child.receive()
    finally:
        child.join()
    return result


def net_inode() -> int:
    return Path("/proc/self/ns/net").stat().st_ino


def become_ordinary() -> None:
    """Be nobody, as a user without root is; and be allowed to write one's own id maps."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # A process that drops its uid may not open its own /proc files until it says so.
        assert libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0


def enter_as(who: str) -> str:
    if who == "user":
        become_ordinary()
    return enter_namespaces(pid=False)


need_root = pytest.mark.skipif(os.geteuid() != 0, reason="shows what root must not keep")
WHO = ["user", pytest.param("root", marks=need_root)]


@pytest.mark.parametrize("who", WHO)
def test_the_network_is_new_empty_and_has_loopback(who: str) -> None:
    def body() -> tuple[str, int, list[str], int]:
        mode = enter_as(who)
        with socket.socket() as server, socket.socket() as client:
            server.bind(("127.4.0.1", 0))
            server.listen(1)
            client.connect(server.getsockname())
            port = client.getpeername()[1]
        lines = Path("/proc/net/dev").read_text().splitlines()
        links = [line.split(":")[0].strip() for line in lines[2:]]
        return mode, net_inode(), links, port

    before = net_inode()
    mode, inside, links, port = in_child(body)
    assert mode == who
    assert inside != before
    assert links == ["lo"]
    assert port > 0
    assert net_inode() == before


def test_the_next_child_is_pid_1_and_knows_its_pid_outside() -> None:
    def body() -> tuple[int, bytes]:
        enter_namespaces(pid=True)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, f"{os.getpid()} {outer_pid()}".encode())
            os._exit(0)
        os.waitpid(child, 0)
        return child, os.read(read, 100)

    child, said = in_child(body)
    assert said.split() == [b"1", str(child).encode()]


def ends_within(descriptor: int, seconds: float) -> bool:
    """Whether the last writer of a pipe goes away in time."""
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return bool(ready) and os.read(descriptor, 1) == b""


def test_the_end_of_pid_1_is_the_end_of_all_below_it() -> None:
    def body() -> bool:
        enter_namespaces(pid=True)
        alive_read, alive_write = os.pipe()
        ready_read, ready_write = os.pipe()
        init = os.fork()
        if init == 0:
            for _ in range(3):
                if os.fork() == 0:
                    os.setsid()
                    os.write(ready_write, b"x")
                    signal.pause()
            signal.pause()
        os.close(alive_write)
        for _ in range(3):
            os.read(ready_read, 1)
        os.kill(init, signal.SIGKILL)
        os.waitpid(init, 0)
        return ends_within(alive_read, 5)

    assert in_child(body)


@pytest.mark.parametrize("who", ["as it is", pytest.param("confined", marks=need_root)])
def test_a_child_that_asked_for_it_dies_with_its_parent(who: str) -> None:
    """Also after `confine`, though a change of credentials makes the kernel forget the wish."""

    def body() -> tuple[bool, bool]:
        alive_read, alive_write = os.pipe()
        ready_read, ready_write = os.pipe()
        parent = os.fork()
        if parent == 0:
            if os.fork() == 0:
                die_with_parent()
                if who == "confined":
                    confine("root")
                os.write(ready_write, b"x")
                signal.pause()
            signal.pause()
        os.close(alive_write)
        os.read(ready_read, 1)
        early = ends_within(alive_read, 0)
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        return early, ends_within(alive_read, 5)

    assert in_child(body) == (False, True)


def attempt(act: Callable[[], object]) -> str:
    """The errno's name of what was refused, "" when it was allowed."""
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def write_same(path: str) -> None:
    """Write a setting's own value: were it allowed, nothing would change."""
    value = Path(path).read_text()
    Path(path).write_text(value)


def unshare_net() -> None:
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "a setting of the namespace": lambda: write_same("/proc/sys/net/ipv4/ip_local_port_range"),
    "a setting of the host": lambda: write_same("/proc/sys/fs/nr_open"),
    "a file of root": lambda: os.close(os.open("/etc/passwd", os.O_WRONLY)),
    "another namespace": unshare_net,
    "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 6).close(),
    "root again": lambda: os.setresuid(0, 0, 0),
}


@pytest.mark.parametrize("who", WHO)
def test_after_confine_no_right_is_left(who: str) -> None:
    def body() -> tuple[dict[str, str], dict[str, str], str]:
        mode = enter_as(who)
        before = attempt(ATTEMPTS["a setting of the namespace"])
        confine(mode)
        left = {what: attempt(act) for what, act in ATTEMPTS.items()}
        lines = Path("/proc/self/status").read_text().splitlines()
        return left, dict(line.split(":\t", 1) for line in lines), before

    left, status, before = in_child(body)
    assert before == "", "the setting could be written before, or this test shows nothing"
    if who == "user":
        # The id inside is 0 already; what it stands for outside is an ordinary user.
        del left["root again"]
    assert set(left.values()) <= {"EPERM", "EACCES"}, left
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    if who == "root":
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(NOBODY)}
        assert status["Groups"].strip() == ""


def test_rights_are_gone_for_children_too() -> None:
    def body() -> int:
        confine(enter_namespaces(pid=False))
        child = os.fork()
        if child == 0:
            os._exit(all(attempt(act) for what, act in ATTEMPTS.items() if what != "root again"))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_child(body) == 1


# Where the system says no.


def forbid(*kinds: str) -> None:
    """In a user namespace of our own, allow no further namespaces of these kinds."""
    become_ordinary()
    assert enter_namespaces(pid=False) == "user"
    for kind in kinds:
        Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("0")


def test_without_user_namespaces_a_root_that_may_makes_the_network_itself() -> None:
    def body() -> tuple[str, bool]:
        forbid("user")
        before = net_inode()
        mode = enter_namespaces(pid=False)
        confine(mode)  # nobody is not mapped here; it must not try to become it
        return mode, net_inode() != before

    assert in_child(body) == ("root", True)


def refused() -> str:
    try:
        enter_namespaces(pid=False)
    except Refused as refusal:
        return str(refusal)
    return ""


def test_without_any_right_root_is_refused_with_what_would_mend_it() -> None:
    def body() -> str:
        forbid("user", "net")
        return refused()

    message = in_child(body)
    assert "Even root may not make a network namespace" in message
    assert "CAP_SYS_ADMIN" in message


def test_an_ordinary_user_without_user_namespaces_is_refused_with_what_would_mend_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def body() -> str:
        forbid("user")
        monkeypatch.setattr(os, "geteuid", lambda: 1000)  # one id is mapped; there is no other
        return refused()

    message = in_child(body)
    assert "does not let an ordinary user make a namespace" in message
    assert "max_user_namespaces" in message
    assert "portchurn doctor" in message


def test_a_process_with_threads_is_our_bug_and_not_refused() -> None:
    def body() -> str:
        become_ordinary()
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        try:
            return attempt(lambda: enter_namespaces(pid=False))
        finally:
            stop.set()
            thread.join()

    assert in_child(body) == "EINVAL"


# Naming a process for good.


def test_a_process_is_known_by_pid_and_start_and_a_zombie_is_not_alive() -> None:
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    ticks = start_ticks(child)
    try:
        assert is_alive(child, ticks)
        assert not is_alive(child, ticks + 1)
        assert start_ticks(os.getpid()) <= ticks
        watched = os.pidfd_open(child)
        os.kill(child, signal.SIGKILL)
        select.select([watched], [], [], 5)
        os.close(watched)
        assert not is_alive(child, ticks), "a zombie holds nothing and does nothing"
        assert start_ticks(child) == ticks
    finally:
        os.waitpid(child, 0)
    assert not is_alive(child, ticks)
    with pytest.raises(FileNotFoundError):
        start_ticks(child)


def test_a_name_with_brackets_and_blanks_does_not_confuse_the_start_time() -> None:
    def body() -> bool:
        before = start_ticks(os.getpid())
        Path("/proc/self/comm").write_text("a) R 1 (b")
        return start_ticks(os.getpid()) == before

    assert in_child(body)
