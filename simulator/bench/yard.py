"""One round of the relay bench, in a namespace of its own: `python -m simulator.bench.yard`.

A fresh process enters a fresh namespace, opens the backends and the front listener, starts one
subject, one backend process and one generator, and reads the subject's CPU time over a window. The
subject has one core to itself where there are two; all the rest shares another.

CPU time comes from the scheduler's account of the process in nanoseconds (/proc/<pid>/schedstat),
its division into user and system from /proc/<pid>/stat, whose ticks are coarser.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import resource
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.bench import crowd, haproxy, own_relay, uvloop_relay
from simulator.kernel.namespace import die_with_parent, enter_namespaces
from simulator.kernel.sockets import open_listener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

FRONT: Final = "127.2.0.1"
BACKEND: Final = "127.3.0.1"
SOURCES: Final = tuple(f"127.1.0.{host}" for host in range(1, 17))
BACKENDS: Final = 4
MAXCONN: Final = 4_000
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """What one round does.

    Attributes:
        subject: `own`, `own-asyncio`, `haproxy` or `uvloop-protocol`.
        seconds: length of the measured window.
        warmup_s: time before it.
        at_once: connections under way at any time.
    """

    subject: str
    seconds: float
    warmup_s: float = 0.5
    at_once: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What one round saw.

    Attributes:
        connections: completed within the window.
        errors: failed, from the start on.
        seconds: length of the window as it was.
        cpu_us: CPU of the subject for one connection, in microseconds.
        user_us: its part in user mode.
        system_us: its part in the kernel.
        busy: share of one core that the subject used.
    """

    connections: int
    errors: int
    seconds: float
    cpu_us: float
    user_us: float
    system_us: float
    busy: float


def _cpu(pid: int) -> tuple[int, float]:
    """CPU time of a process: nanoseconds, and the share of them in the kernel."""
    total_ns = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    stat = Path(f"/proc/{pid}/stat").read_text()
    _user, system = (int(field) for field in stat[stat.rindex(")") + 2 :].split()[11:13])
    return total_ns, system / _TICKS_PER_S


def _fork(body: Callable[[], object], cores: set[int]) -> int:
    """Run ``body`` in a child on these cores, until it is killed."""
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent()
            os.sched_setaffinity(0, cores)
            body()
        except BaseException:  # noqa: BLE001 - said, and seen by the parent as errors
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)
    return pid


def _divide_cores() -> tuple[set[int], set[int]]:
    """Cores for the subject, and for all the rest."""
    cores = sorted(os.sched_getaffinity(0))
    return {cores[0]}, set(cores[1:2] or cores)


def _start_subject(
    subject: str,
    listener: socket.socket,
    endpoints: list[tuple[str, int]],
    folder: Path,
    cores: set[int],
) -> int:
    if subject == "haproxy":
        binary = haproxy.find()
        if binary is None:
            raise FileNotFoundError("haproxy is not installed")
        os.set_inheritable(listener.fileno(), True)
        pid = haproxy.start(binary, folder, listener.fileno(), endpoints, MAXCONN).pid
        os.sched_setaffinity(pid, cores)
        return pid
    if subject == "uvloop-protocol":
        return _fork(lambda: uvloop_relay.serve(listener, endpoints), cores)
    if subject not in ("own", "own-asyncio"):
        raise ValueError(f"there is no such subject as {subject}")
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if subject == "own":
        import uvloop

        new_loop = uvloop.new_event_loop
    return _fork(lambda: own_relay.serve(listener, endpoints, new_loop), cores)


def _prepare() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    enter_namespaces(pid=False)
    ipv4 = Path("/proc/sys/net/ipv4")
    (ipv4 / "ip_local_port_range").write_text("1024 65535")


def run_round(plan: RoundPlan) -> RoundResult:
    """Do one round in this process, which must be fresh; everything started is ended."""
    _prepare()
    mine, others = _divide_cores()
    backends = [open_listener(BACKEND, 0, backlog=4096) for _ in range(BACKENDS)]
    endpoints = [(BACKEND, int(one.getsockname()[1])) for one in backends]
    listener = open_listener(FRONT, 0, backlog=4096)
    front = (FRONT, int(listener.getsockname()[1]))
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    counts = memoryview(shared).cast("q")
    longest_s = plan.warmup_s + plan.seconds + 10
    started: list[int] = []
    with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as folder:
        try:
            subject = _start_subject(plan.subject, listener, endpoints, Path(folder), mine)
            started.append(subject)
            started.append(_fork(lambda: crowd.serve(backends), others))
            generator = crowd.Crowd(front, SOURCES, plan.at_once, counts)
            started.append(_fork(lambda: generator.run(longest_s), others))
            return _measure(plan, subject, counts)
        finally:
            for pid in started:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _measure(plan: RoundPlan, subject: int, counts: memoryview[int]) -> RoundResult:
    time.sleep(plan.warmup_s)
    began = time.monotonic()
    cpu_before, system_before = _cpu(subject)
    done_before = counts[0]
    time.sleep(plan.seconds)
    cpu_after, system_after = _cpu(subject)
    done = counts[0] - done_before
    seconds = time.monotonic() - began
    cpu_s = (cpu_after - cpu_before) / 1e9
    system_s = min(cpu_s, system_after - system_before)
    each = 1e6 / max(1, done)
    return RoundResult(
        connections=done,
        errors=counts[1],
        seconds=seconds,
        cpu_us=cpu_s * each,
        user_us=(cpu_s - system_s) * each,
        system_us=system_s * each,
        busy=cpu_s / seconds,
    )


def main() -> None:
    """Read a plan from the command line, write the result to standard output."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    print(json.dumps(asdict(run_round(RoundPlan(**given)))))  # noqa: T201 - read by its parent


if __name__ == "__main__":
    main()
