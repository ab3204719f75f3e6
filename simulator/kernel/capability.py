"""What this machine can do for a run: facts gathered by trying, and what they mean.

Two steps, so that every judgement can be tested on machines that lack nothing: `gather` touches
the world and returns `Facts`; `judge` turns facts into checks, each with what it means and the
command that would mend it. Nothing is changed on the host.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from simulator.kernel.leftovers import left_folders, left_processes
from simulator.kernel.peers import PACKAGES, look_for
from simulator.units import format_bytes, format_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

State = Literal["ok", "limited", "missing"]
#: Kernel and Python memory of one held connection over both hops, both ends; measured, rounded up.
HELD_BYTES: Final = 2 * 6 * 1024
_FEW_DESCRIPTORS: Final = 4_096
_MANY_DESCRIPTORS: Final = 65_536
_LITTLE_MEMORY: Final = 512 << 20
_GOOD_CLOCKS: Final = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")
_PEERS: Final = {"haproxy": "-v", "nginx": "-v", "wrk": "-v"}
_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found on this machine.

    Attributes:
        mode: how namespaces are made: ``user``, ``root``, or "" when they cannot be.
        refusal: why not, "" when they can.
        is_init: whether the first process of a new PID namespace is its PID 1.
        tries: `probe.TRIES` by name -> "" or what went wrong.
        descriptors: soft and hard limit; -1 is no limit.
        peers: program -> its version, None when it is not installed.
        drivers: program -> why it cannot be a scenario's balancer, "" when it can.
        leftovers: one line for each thing a dead run left behind.
    """

    system: str
    release: str
    mode: str
    refusal: str
    is_init: bool
    tries: Mapping[str, str]
    root: bool
    descriptors: tuple[int, int]
    memory_bytes: int
    cpus: int
    clocksource: str
    peers: Mapping[str, str | None] = field(default_factory=dict)
    drivers: Mapping[str, str] = field(default_factory=dict)
    leftovers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of `doctor`.

    Attributes:
        needed: without it the main job cannot run.
        found: what was found, in a few words.
        meaning: what that means for a run.
        mend: the command that would mend it, "" when nothing is to be mended.
    """

    name: str
    state: State
    found: str
    meaning: str
    mend: str = ""
    needed: bool = False


def gather() -> Facts:
    """Try what a run needs; takes about a second.

    Raises:
        OSError: not even a child process could be started.
    """
    probed = _probe()
    tries = probed.get("tries")
    return Facts(
        system=platform.system(),
        release=platform.release(),
        mode=str(probed.get("mode", "")),
        refusal=str(probed.get("refusal", "")),
        is_init=bool(probed.get("init")),
        tries=tries if isinstance(tries, dict) else {},
        root=os.geteuid() == 0,
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE),
        memory_bytes=_available_memory(),
        cpus=len(os.sched_getaffinity(0)),
        clocksource=_read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        peers={name: _version(name, flag) for name, flag in _PEERS.items()},
        drivers={name: look_for(name).missing for name in PACKAGES},
        leftovers=[
            *(f"process {p.pid} ({p.command}) of run {p.run_id}" for p in left_processes()),
            *(f"folder {folder.path}" for folder in left_folders()),
        ],
    )


def _probe() -> dict[str, object]:
    command = [sys.executable, "-m", "simulator.kernel.probe"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"refusal": "The probe did not end within 30 s."}
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"refusal": f"The probe broke: {last}"}
    return found if isinstance(found, dict) else {}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def _available_memory() -> int:
    """MemAvailable in bytes, 0 when the kernel does not say. Source: proc_meminfo(5)."""
    for line in _read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _version(program: str, flag: str) -> str | None:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, flag], capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "installed, but does not start"
    said = (done.stdout + done.stderr).strip().splitlines()
    return said[0][:80] if said else "installed"


def judge(facts: Facts) -> list[Check]:
    """What the facts mean, most important first."""
    return [
        _kernel(facts),
        _namespaces(facts),
        _pid_namespace(facts),
        *_tried(facts),
        _descriptors(facts),
        _memory(facts),
        _cpus(facts),
        _clock(facts),
        _leftovers(facts),
        *_peers(facts),
    ]


def can_run(checks: Sequence[Check]) -> bool:
    """Whether nothing that the main job needs is missing."""
    return not any(check.needed and check.state == "missing" for check in checks)


def _kernel(facts: Facts) -> Check:
    linux = facts.system == "Linux"
    return Check(
        name="kernel",
        state="ok" if linux else "missing",
        found=f"{facts.system} {facts.release}",
        meaning="runs use this kernel's own TCP" if linux else "runs need a Linux kernel",
        mend="" if linux else "run it in a Linux virtual machine",
        needed=True,
    )


_ALLOW_NAMESPACES: Final = (
    "sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1 "
    "kernel.apparmor_restrict_unprivileged_userns=0   (those that exist), or run as root; "
    "in a container: --cap-add SYS_ADMIN --security-opt seccomp=unconfined"
)


def _namespaces(facts: Facts) -> Check:
    state: State
    if facts.mode == "user":
        state, found, meaning = "ok", "user namespaces", "a run needs no rights on the host"
    elif facts.mode == "root":
        state, found = "ok", "as root"
        meaning = "root makes a run's network, and the run's processes become nobody"
    else:
        state, found = "missing", (facts.refusal.splitlines() or ["refused"])[0]
        meaning = "a run cannot have a private network namespace, so it will not start"
    return Check(
        name="namespaces",
        state=state,
        found=found,
        meaning=meaning,
        mend="" if state == "ok" else _ALLOW_NAMESPACES,
        needed=True,
    )


def _pid_namespace(facts: Facts) -> Check:
    works = facts.is_init
    return Check(
        name="pid namespace",
        state="ok" if works else "missing",
        found="works" if works else "not tried" if not facts.mode else "refused",
        meaning="nothing outlives a run, even after kill -9"
        if works
        else "a killed run could leave processes behind, so none is started",
        mend="" if works else "the same as for namespaces",
        needed=True,
    )


#: try -> (name, what it gives, what is lost without it, what would mend it, needed)
_TRIED: Final = {
    "settings": (
        "port settings",
        "a scenario's port range and limits hold in its own namespace only",
        "port settings cannot be written in a namespace, so no scenario can run",
        "use a kernel with network namespaces whose /proc/sys is writable in a container",
        True,
    ),
    "reuse-delay": (
        "short TIME_WAIT",
        "a scenario may shorten TIME_WAIT, so that walls show within seconds",
        "scenarios with a time_wait below 60s are refused",
        "Linux 6.14 or newer; or kernel.time_wait: 60s and runs of several minutes",
        False,
    ),
    "socket-range": (
        "IP_LOCAL_PORT_RANGE",
        "sources with ports: socket-range work",
        "scenarios with ports: socket-range cannot run",
        "Linux 6.3 or newer",
        False,
    ),
    "late-bind": (
        "IP_BIND_ADDRESS_NO_PORT",
        "sources with ports: late-bind work, and each role can have its own address",
        "a source address cannot be bound without using up a port everywhere",
        "Linux 4.2 or newer",
        True,
    ),
    "sock-diag": (
        "sock_diag",
        "the socket table can be read, so occupancy is measured",
        "the socket table cannot be read, so nothing can be measured",
        "modprobe tcp_diag inet_diag",
        True,
    ),
    "addresses": (
        "127.0.0.0/8",
        "each role has loopback addresses of its own",
        "a role cannot have its own loopback address",
        "a kernel whose loopback takes all of 127.0.0.0/8",
        True,
    ),
}


def _tried(facts: Facts) -> list[Check]:
    checks = []
    for key, (name, gives, lost, mend, needed) in _TRIED.items():
        wrong = facts.tries.get(key, "not tried: no namespace")
        missing: State = "missing" if needed else "limited"
        checks.append(
            Check(
                name=name,
                state=missing if wrong else "ok",
                found=wrong or "works",
                meaning=lost if wrong else gives,
                mend=mend if wrong else "",
                needed=needed,
            )
        )
    return checks


def _descriptors(facts: Facts) -> Check:
    soft, hard = facts.descriptors
    most = hard if hard >= 0 else 1 << 30
    state: State = "ok" if most >= _MANY_DESCRIPTORS else "limited"
    if most < _FEW_DESCRIPTORS:
        state = "missing"
    found = "no limit" if hard < 0 else f"{format_count(soft)} soft, {format_count(hard)} hard"
    return Check(
        name="descriptors",
        state=state,
        found=found,
        meaning=f"about {format_count(most // 2)} relayed connections at once in each balancer "
        "process; more need more processes",
        mend="" if state == "ok" else "ulimit -Hn 1048576 (as root), or LimitNOFILE= in systemd",
        needed=True,
    )


def _memory(facts: Facts) -> Check:
    enough = facts.memory_bytes >= _LITTLE_MEMORY
    held = format_count(facts.memory_bytes // HELD_BYTES)
    return Check(
        name="memory",
        state="ok" if enough else "limited",
        found=f"{format_bytes(facts.memory_bytes)} available",
        meaning=f"room for about {held} held connections over two hops",
        mend="" if enough else "end other programs, or hold fewer connections",
    )


def _cpus(facts: Facts) -> Check:
    enough = facts.cpus >= 2
    return Check(
        name="cpus",
        state="ok" if enough else "limited",
        found=str(facts.cpus),
        meaning="generator and balancer can have a core each"
        if enough
        else "generator and balancer share one core: walls are true, rates and latencies are not",
        mend="" if enough else "give this machine or container a second core",
    )


def _clock(facts: Facts) -> Check:
    good = facts.clocksource in _GOOD_CLOCKS
    return Check(
        name="clock",
        state="ok" if good else "limited",
        found=facts.clocksource or "unknown",
        meaning="times are read without a system call" if good else "reading the time may be slow",
        mend="" if good else "boot with clocksource=tsc where the processor has a stable one",
    )


def _leftovers(facts: Facts) -> Check:
    count = len(facts.leftovers)
    return Check(
        name="leftovers",
        state="limited" if count else "ok",
        found=f"{count} ({facts.leftovers[0]}{', ...' if count > 1 else ''})" if count else "none",
        meaning="dead runs left something behind" if count else "no dead run left anything behind",
        mend="portchurn clean" if count else "",
    )


def _peers(facts: Facts) -> list[Check]:
    return [_peer(facts, program, version) for program, version in facts.peers.items()]


def _peer(facts: Facts, program: str, version: str | None) -> Check:
    if not version:
        can = f", and balancer.driver: {program} cannot run" if program in PACKAGES else ""
        return Check(
            name=program,
            state="missing",
            found="not installed",
            meaning=f"only comparisons with it are left out{can}",
            mend=f"apt-get install {PACKAGES.get(program, program)}",
        )
    missing = facts.drivers.get(program, "")
    runs = f", and balancer.driver: {program} works" if program in PACKAGES else ""
    return Check(
        name=program,
        state="limited" if missing else "ok",
        found=version,
        meaning=f"compared with in bench{runs if not missing else f'; as a driver: {missing}'}",
        mend=f"apt-get install {PACKAGES[program]}" if missing else "",
    )
