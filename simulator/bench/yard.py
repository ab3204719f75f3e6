"""One round of the relay bench, in a namespace of its own: `python -m simulator.bench.yard`.

A fresh process enters a fresh namespace, opens the backends and the front listener, starts one
subject, one backend process and one generator, and reads the subject's CPU time over a window. The
subject has one core to itself where there are two; all the rest shares another.

CPU time comes from the scheduler's account of the process in nanoseconds (/proc/<pid>/schedstat),
its division into user and system from /proc/<pid>/stat, whose ticks are coarser. Memory is what the
process holds of its own (anonymous pages in /proc/<pid>/smaps_rollup): buffers, tables and heaps,
and nothing of the kernel's.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import re
import resource
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.bench import crowd, exchange, haproxy, nginx, own_relay, uvloop_relay
from simulator.bench.workloads import CLOSE, WORKLOADS, Workload
from simulator.errors import RunFailed
from simulator.kernel.namespace import die_with_parent, enter_namespaces
from simulator.kernel.sockets import open_listener
from simulator.live.relay import Relay, RelaySettings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

FRONT: Final = "127.2.0.1"
BACKEND: Final = "127.3.0.1"
SOURCES: Final = tuple(f"127.1.0.{host}" for host in range(1, 17))
BACKENDS: Final = 4
#: Beyond those asked for: connections that are ending while the next ones begin.
_SPARE_CONNECTIONS: Final = 900
#: Connections opened before memory is first read, so that what a first one costs is not in it.
_FIRST_FEW: Final = 64
_POLL_S: Final = 0.005
_HOLD_MAX_S: Final = 25.0
_SETTLE_S: Final = 0.2
_START_MAX_S: Final = 10.0
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """What one round does.

    Attributes:
        subject: `own`, `own-compiled`, `own-asyncio`, `haproxy`, `nginx` or `uvloop-protocol`.
        seconds: length of the measured window.
        warmup_s: time before it.
        at_once: connections open at any time.
        workload: a name of `workloads.WORKLOADS`.
    """

    subject: str
    seconds: float
    warmup_s: float = 0.5
    at_once: int = CLOSE.at_once
    workload: str = CLOSE.name


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What one round saw.

    Attributes:
        done: units of work completed within the window (connections, requests, megabytes).
        errors: connections failed, from the start on.
        seconds: length of the window as it was.
        cpu_us: CPU of the subject for one unit, in microseconds.
        user_us: its part in user mode.
        system_us: its part in the kernel.
        busy: share of one core that the subject used.
        memory_bytes: for each held connection; 0 where memory is not the point.
    """

    done: int
    errors: int
    seconds: float
    cpu_us: float
    user_us: float
    system_us: float
    busy: float
    memory_bytes: float = 0.0


def _cpu(pid: int) -> tuple[int, float]:
    """CPU time of a process: nanoseconds, and the share of them in the kernel."""
    total_ns = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    stat = Path(f"/proc/{pid}/stat").read_text()
    _user, system = (int(field) for field in stat[stat.rindex(")") + 2 :].split()[11:13])
    return total_ns, system / _TICKS_PER_S


def _own_memory_bytes(pid: int) -> int:
    """Anonymous memory of a process; pages shared with its parent since fork() count too."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise RunFailed("the kernel does not tell a process's anonymous memory")


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
    plan: RoundPlan,
    listener: socket.socket,
    endpoints: list[tuple[str, int]],
    folder: Path,
    cores: set[int],
) -> int:
    subject, maxconn = plan.subject, plan.at_once + _SPARE_CONNECTIONS
    if subject in ("haproxy", "nginx"):
        binary = haproxy.find() if subject == "haproxy" else nginx.find()
        if binary is None:
            raise FileNotFoundError(f"{subject} is not installed")
        if subject == "haproxy":
            os.set_inheritable(listener.fileno(), True)
            pid = haproxy.start(binary, folder, listener.fileno(), endpoints, maxconn).pid
        else:
            # It opens the port itself; in this namespace nobody else could come before it.
            front = listener.getsockname()
            listener.close()
            half_close = WORKLOADS[plan.workload].half_close
            pid = nginx.start(binary, folder, front, endpoints, maxconn, half_close=half_close).pid
            _until_listening(front[1])
        os.sched_setaffinity(pid, cores)
        return pid
    if subject == "uvloop-protocol":
        return _fork(lambda: uvloop_relay.serve(listener, endpoints), cores)
    if subject not in ("own", "own-compiled", "own-asyncio"):
        raise ValueError(f"there is no such subject as {subject}")
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if subject != "own-asyncio":
        import uvloop

        new_loop = uvloop.new_event_loop
    kind = Relay
    if subject == "own-compiled":
        from simulator.live.compiled.relay import CompiledRelay

        kind = CompiledRelay
    settings = RelaySettings(half_close=WORKLOADS[plan.workload].half_close)
    return _fork(lambda: own_relay.serve(listener, endpoints, new_loop, kind, settings), cores)


def _until_listening(port: int) -> None:
    deadline = time.monotonic() + _START_MAX_S
    wanted = re.compile(rf":{port:04X} \S+ 0A ")
    while not wanted.search(Path("/proc/net/tcp").read_text()):
        if time.monotonic() > deadline:
            raise RunFailed("the subject does not listen")
        time.sleep(_POLL_S)


def _prepare() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    enter_namespaces(pid=False)
    ipv4 = Path("/proc/sys/net/ipv4")
    (ipv4 / "ip_local_port_range").write_text("1024 65535")
    # For all alike: where the machine's default is BBR, its pacing timers run on the subject's core
    # for whoever sends to it, and one round differs from the next by a factor of four.
    (ipv4 / "tcp_congestion_control").write_text("reno")


def _backend(workload: Workload, listeners: list[socket.socket]) -> Callable[[], None]:
    if workload.answer_bytes == crowd.MESSAGE_BYTES:
        return lambda: crowd.serve(listeners)
    return exchange.Answers(listeners, workload.answer_bytes).serve


def _clients(
    plan: RoundPlan, workload: Workload, front: tuple[str, int], counts: memoryview[int]
) -> crowd.Crowd | exchange.Exchange:
    if workload.ends:
        return crowd.Crowd(front, SOURCES, plan.at_once, counts)
    counts[2] = _FIRST_FEW if workload.counts_memory else plan.at_once
    return exchange.Exchange(
        front,
        SOURCES,
        workload.answer_bytes,
        asks_again=not workload.counts_memory,
        counts=counts,
    )


def run_round(plan: RoundPlan) -> RoundResult:
    """Do one round in this process, which must be fresh; everything started is ended.

    Raises:
        RunFailed: connections that should have been held were not.
    """
    workload = WORKLOADS[plan.workload]
    _prepare()
    mine, others = _divide_cores()
    backends = [open_listener(BACKEND, 0, backlog=4096) for _ in range(BACKENDS)]
    endpoints = [(BACKEND, int(one.getsockname()[1])) for one in backends]
    listener = open_listener(FRONT, 0, backlog=4096)
    front = (FRONT, int(listener.getsockname()[1]))
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    counts = memoryview(shared).cast("q")
    longest_s = plan.warmup_s + plan.seconds + _HOLD_MAX_S
    started: list[int] = []
    with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as folder:
        try:
            subject = _start_subject(plan, listener, endpoints, Path(folder), mine)
            started.append(subject)
            started.append(_fork(_backend(workload, backends), others))
            clients = _clients(plan, workload, front, counts)
            started.append(_fork(lambda: clients.run(longest_s), others))
            if workload.counts_memory:
                return _measure_memory(plan, subject, counts)
            return _measure(plan, subject, counts)
        finally:
            for pid in started:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _measure(plan: RoundPlan, subject: int, counts: memoryview[int]) -> RoundResult:
    time.sleep(plan.warmup_s)
    began = time.monotonic()
    cpu_before = _cpu(subject)
    done_before = counts[0]
    time.sleep(plan.seconds)
    return _result(subject, cpu_before, began, counts[0] - done_before, counts[1])


def _measure_memory(plan: RoundPlan, subject: int, counts: memoryview[int]) -> RoundResult:
    _until_done(_FIRST_FEW, counts)
    time.sleep(plan.warmup_s)
    began = time.monotonic()
    cpu_before, memory_before = _cpu(subject), _own_memory_bytes(subject)
    counts[2] = _FIRST_FEW + plan.at_once
    _until_done(_FIRST_FEW + plan.at_once, counts)
    time.sleep(_SETTLE_S)
    grown = _own_memory_bytes(subject) - memory_before
    result = _result(subject, cpu_before, began, plan.at_once, counts[1])
    return replace(result, memory_bytes=grown / plan.at_once)


def _until_done(wanted: int, counts: memoryview[int]) -> None:
    deadline = time.monotonic() + _HOLD_MAX_S
    while counts[0] + counts[1] < wanted:
        if time.monotonic() > deadline:
            raise RunFailed(f"{counts[0]} of {wanted} connections got their answer")
        time.sleep(_POLL_S)


def _result(
    subject: int, cpu_before: tuple[int, float], began: float, done: int, errors: int
) -> RoundResult:
    """What came of a window that ends now."""
    cpu_after, system_after = _cpu(subject)
    seconds = time.monotonic() - began
    cpu_s = (cpu_after - cpu_before[0]) / 1e9
    system_s = min(cpu_s, system_after - cpu_before[1])
    each = 1e6 / max(1, done)
    return RoundResult(
        done=done,
        errors=errors,
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
