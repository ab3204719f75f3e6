"""A private port universe: user, network and PID namespaces made by this process for itself.

Everything here acts on the calling process, which must be freshly started and single-threaded
(`unshare` of a user namespace is refused to a process with threads). Without root a user namespace
gives the rights over the new network namespace and nothing outside it; real root makes the network
and PID namespaces directly, since in a user namespace it would stay the host's root.

Source: unshare(2), user_namespaces(7), pid_namespaces(7), prctl(2), capabilities(7).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Final

from simulator.errors import Refused

CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWPID: Final = 0x2000_0000
CLONE_NEWNET: Final = 0x4000_0000

_PR_SET_PDEATHSIG: Final = 1
_PR_GET_PDEATHSIG: Final = 2
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x2008_0522
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_CHILD_TABLE: Final = Path("/proc/sys/net/ipv4/tcp_child_ehash_entries")
_NOBODY: Final = 65534
#: What a system that forbids or has used up its user namespaces answers.
_FORBIDDEN: Final = frozenset({errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS})

_ALLOW: Final = (
    "Either allow it (sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces > 0) "
    "or run as root. `portchurn doctor` says which is missing."
)

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends.

    The signal is cleared by fork and by changes of credentials, so call it after both.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def enter_namespaces(*, pid: bool, hash_entries: int = 0) -> str:
    """Move this process into a user and network namespace of its own, with loopback up.

    Args:
        pid: also make a PID namespace; the *next child* becomes its init, whose end ends all.
        hash_entries: buckets of a TCP connection table of the namespace's own; 0 shares the
            host's. A table that fits the run makes the sampler's walk over it short, and keeps
            other namespaces' sockets out of it.

    Returns:
        ``user`` when a user namespace gave the rights, ``root`` when root did.

    Raises:
        Refused: neither is allowed here; the message names what would mend it.
    """
    mode = _leave_the_host(CLONE_NEWNET | (CLONE_NEWPID if pid else 0))
    try:
        if hash_entries and _CHILD_TABLE.exists():  # since Linux 6.1
            # The setting acts on network namespaces made below the one in which it is written.
            _CHILD_TABLE.write_text(str(hash_entries))
            _check(_libc.unshare(CLONE_NEWNET), "unshare")
        _loopback_up()
    except OSError as error:
        raise _powerless(error) from error
    return mode


def _leave_the_host(flags: int) -> str:
    """Make the namespaces as root where that is safe, else by a user namespace, else as root."""
    uid, gid = os.geteuid(), os.getegid()
    # Root mapped into a user namespace would stay the host's own: it owns the host's files and
    # may write the host's settings without any capability. So root goes without one, and
    # `confine` makes it nobody.
    if uid == 0 and _is_mapped(_NOBODY) and not _unshare(flags):
        return "root"
    refusal = _unshare(CLONE_NEWUSER | flags)
    if not refusal:
        try:
            _map_ids(uid, gid)
        except OSError as error:
            raise _powerless(error) from error
        return "user"
    if uid != 0:
        raise Refused(
            "This kernel does not let an ordinary user make a namespace "
            f"({os.strerror(refusal)}).\n{_ALLOW}"
        )
    refusal = _unshare(flags)
    if refusal:
        raise Refused(
            f"Even root may not make a network namespace here ({os.strerror(refusal)}). "
            "In a container, start it with CAP_SYS_ADMIN or allow user namespaces."
        )
    return "root"


def _map_ids(uid: int, gid: int) -> None:
    # setgroups must be denied before an unprivileged process may map its group.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _powerless(error: OSError) -> Refused:
    """A namespace without rights over itself, as AppArmor gives to programs it does not know."""
    what = f" at {error.filename}" if error.filename else ""
    return Refused(
        "This kernel made a namespace and then refused the rights over it "
        f"({error.strerror}{what}).\n{_ALLOW}"
    )


def _unshare(flags: int) -> int:
    """0, or the errno with which this system forbids it."""
    try:
        _check(_libc.unshare(flags), "unshare")
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise  # EINVAL: this process already has threads, which is our bug
        return error.errno
    return 0


def _is_mapped(uid: int) -> bool:
    """Whether a user id exists in this process's user namespace (user_namespaces(7))."""
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    extents = [[int(word) for word in line.split()] for line in lines]
    return any(first <= uid < first + count for first, _outside, count in extents)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(probe, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def confine(mode: str) -> None:
    """Give up every right before any traffic is parsed, for this process and its children.

    Files must be open, modules imported and settings written before. With ``root`` the process
    also becomes *nobody*, since there uid 0 would be the host's own.
    """
    if mode == "root" and _is_mapped(_NOBODY):
        will_die = ctypes.c_int()
        _check(_libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(will_die), 0, 0, 0), "prctl")
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        if will_die.value:
            die_with_parent()  # forgotten with the change of credentials
    # struct __user_cap_header_struct {version, pid}, then two of {effective, permitted,
    # inheritable}, all of 32 bits (linux/capability.h).
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, nothing), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def outer_pid() -> int:
    """This process's pid as the host sees it: /proc is still the host's mount."""
    return int(Path("/proc/self").readlink().name)


def start_ticks(pid: int) -> int:
    """When a process was started, in clock ticks since boot; with the pid it names it for good.

    Raises:
        OSError: there is no such process.
    """
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") + 2 :].split()[19])


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the process with this pid *and* start time still runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return False
        raise
    fields = stat[stat.rindex(")") + 2 :].split()
    return int(fields[19]) == ticks and fields[0] not in ("Z", "X")
