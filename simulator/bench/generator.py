"""`portchurn bench generator`: new connections a second that one core can make, and CPU for each.

Each generator has one core to itself and asks the same server on the other: connect, one small
request, one small answer, and the server closes. wrk and ab keep so many connections under way and
open the next when one has ended; ours works through a plan in which each is due at once.

What each keeps of a connection differs: wrk and ab keep how long the request took, ours keeps when
each was due, sent, connected, answered and closed, its port and its outcome.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator import __version__
from simulator.bench import answering
from simulator.bench.processes import fork_on, started, two_cores, write_setting
from simulator.bench.spec import Bench, Given, Option, Values
from simulator.errors import RunFailed
from simulator.kernel.namespace import enter_namespaces
from simulator.kernel.sockets import open_listener

if TYPE_CHECKING:
    from collections.abc import Callable

OWN: Final = "own"
WRK: Final = "wrk"
AB: Final = "ab"
_SERVER: Final = "127.3.0.1"
#: Enough ports that no generator meets a tuple of its own again within a round.
_SETTINGS: Final = {
    "ipv4.ip_local_port_range": "1024 65535",
    "ipv4.tcp_tw_reuse": "1",
    "ipv4.tcp_tw_reuse_delay": "1",
    "core.somaxconn": "65535",
}


def versions() -> dict[str, str | None]:
    """The version of each generator, None for one that is not installed."""
    return {OWN: __version__, WRK: _said(WRK, "-v"), AB: _said(AB, "-V")}


def _said(name: str, flag: str) -> str | None:
    path = shutil.which(name)
    if path is None:
        return None
    done = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"(?:wrk|Version)\s+(?:debian/)?(\d[\w.]*)", done.stdout + done.stderr)
    return found[1] if found else "unknown"


BENCH: Final = Bench(
    name="generator",
    question="How many new connections a second can a generator make on one core?",
    units={
        "rate": "connections/s",
        "cpu": "us/connection",
        "cpu-user": "us/connection",
        "cpu-system": "us/connection",
        "busy": "of its core",
        "connections": "connections",
        "errors": "connections",
    },
    versions=versions,
    against=WRK,
    options=(
        Option(name="connections", default=40_000, least=200, most=1_000_000, text="In a round."),
        Option(name="at-once", default=64, least=1, most=1_000, text="Under way with wrk and ab."),
    ),
    wanted=("own rate at least 1.00 of wrk's",),
)


def measure(subject: str, options: Given) -> Values:
    """One round.

    Raises:
        KeyError: there is no such subject.
        RunFailed: a peer said nothing that can be read.
    """
    enter_namespaces(pid=False, hash_entries=1 << 18)
    for name, value in _SETTINGS.items():
        write_setting(name, value)
    mine, others = two_cores()
    os.sched_setaffinity(0, others)
    listener = open_listener(_SERVER, 0, backlog=4_096)
    front = (_SERVER, int(listener.getsockname()[1]))
    with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as name, started([]) as pids:
        pids.append(fork_on(lambda: answering.serve(listener), others))
        return _SUBJECTS[subject](Path(name), front, options, mine)


def _own(folder: Path, front: tuple[str, int], options: Given, cores: set[int]) -> Values:
    from simulator.bench.own_generator import drive, read_back, write_ledger

    write_ledger(folder, int(options["connections"]), 0.0)
    began = time.monotonic()
    pid = fork_on(lambda: drive(folder, front, (), 60.0), cores)
    _, code, used = os.wait4(pid, 0)
    if code:
        raise RunFailed(f"the generator ended by {os.waitstatus_to_exitcode(code)}")
    well, badly, seconds = read_back(folder)
    cpu_s = used.ru_utime + used.ru_stime
    busy = cpu_s / (time.monotonic() - began)
    return _values(well, badly, seconds, used.ru_utime, used.ru_stime, busy)


def _values(
    well: int, badly: int, seconds: float, user_s: float, system_s: float, busy: float
) -> Values:
    each = 1e6 / max(1, well)
    return {
        "rate": well / seconds,
        "cpu": (user_s + system_s) * each,
        "cpu-user": user_s * each,
        "cpu-system": system_s * each,
        "busy": busy,
        "connections": well,
        "errors": badly,
    }


def _peer(command: list[str], cores: set[int]) -> tuple[str, float, float, float]:
    """What a peer said, how long it took, and its CPU time in user mode and in the kernel."""
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        peer = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
        os.sched_setaffinity(peer.pid, cores)
        _, _, used = os.wait4(peer.pid, 0)
        peer.returncode = 0
        seconds = time.monotonic() - began
        said.seek(0)
        return said.read().decode(), seconds, used.ru_utime, used.ru_stime


def _wrk(_folder: Path, front: tuple[str, int], options: Given, cores: set[int]) -> Values:
    # wrk is given a time and not a number, so it gets about what the others take.
    seconds = max(1, round(options["connections"] / 20_000))
    command = [WRK, "-t1", f"-c{int(options['at-once'])}", f"-d{seconds}s"]
    command += ["-H", "Connection: close", f"http://{front[0]}:{front[1]}/"]
    said, whole_s, user_s, system_s = _peer(command, cores)
    done = re.search(r"(\d+) requests in ([\d.]+)(ms|s)", said)
    if done is None:
        raise RunFailed(f"wrk said nothing that can be read:\n{said}")
    took_s = float(done[2]) / (1_000 if done[3] == "ms" else 1)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", said)
    badly = sum(map(int, errors.groups())) if errors else 0
    busy = (user_s + system_s) / whole_s
    return _values(int(done[1]), badly, took_s, user_s, system_s, busy)


def _ab(_folder: Path, front: tuple[str, int], options: Given, cores: set[int]) -> Values:
    command = [AB, "-q", "-n", str(int(options["connections"]))]
    command += ["-c", str(int(options["at-once"])), f"http://{front[0]}:{front[1]}/"]
    said, whole_s, user_s, system_s = _peer(command, cores)
    done = re.search(r"Complete requests:\s+(\d+)", said)
    failed = re.search(r"Failed requests:\s+(\d+)", said)
    took = re.search(r"Time taken for tests:\s+([\d.]+)", said)
    if not (done and failed and took):
        raise RunFailed(f"ab said nothing that can be read:\n{said}")
    busy = (user_s + system_s) / whole_s
    return _values(int(done[1]), int(failed[1]), float(took[1]), user_s, system_s, busy)


_SUBJECTS: Final[dict[str, Callable[[Path, tuple[str, int], Given, set[int]], Values]]] = {
    OWN: _own,
    WRK: _wrk,
    AB: _ab,
}
