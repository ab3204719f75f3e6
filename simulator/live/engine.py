"""The kernel engine: the conductor on the host side of one run.

It starts the crew, waits until every role has said that it is ready, tells all of them one moment
at which the run begins, keeps what they report, and ends them. It makes no decision about traffic;
the plan did that. Whatever happens, the crew is gone when `run` returns or raises.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import simulator
from simulator.clock import boottime_ns, monotonic_ns
from simulator.errors import Refused, RunFailed
from simulator.kernel.namespace import start_ticks
from simulator.kernel.sysctls import refuse_what_is_missing
from simulator.live.casting import FRONT, backend_addresses, cast, client_addresses
from simulator.live.channel import Channel, Message
from simulator.live.progress import ProgressMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.engine import Job, Recorder, Watch
    from simulator.live.settings import RoleSpec

READY_WITHIN_S: Final = 20.0
QUIT_WITHIN_S: Final = 5.0
_LEAD_NS: Final = 60_000_000  # between saying the start and the start
_STEP_S: Final = 0.05
TAG: Final = "PORTCHURN_RUN"


@dataclass(slots=True)
class _Member:
    """One role as the conductor sees it."""

    spec: RoleSpec
    channel: Channel | None = None
    ready: Message | None = None
    done: Message | None = None
    lost: bool = False

    @property
    def name(self) -> str:
        return f"{self.spec.kind} {self.spec.index}"


@dataclass(slots=True)
class _Crew:
    """The processes of one run and what they have said."""

    members: list[_Member]
    process: subprocess.Popen[bytes]
    control: Channel | None = None
    started: Message | None = None
    refused: str | None = None
    failure: str | None = None
    ended: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, *kinds: str) -> list[_Member]:
        return [member for member in self.members if member.spec.kind in kinds]


class KernelEngine:
    """Runs a job on real sockets in namespaces of its own.

    Args:
        loop: the event loop of the roles, ``uvloop`` or ``asyncio``.
    """

    name = "kernel"

    def __init__(self, loop: str = "uvloop") -> None:
        self._role_loop = loop

    async def run(self, job: Job, recorder: Recorder, watch: Watch) -> None:
        """Do the job to its end (`engine.Engine`)."""
        refuse_what_is_missing(job.scenario.kernel)
        conductor = _Conductor(job, recorder, watch, self._role_loop)
        try:
            await conductor.conduct()
        finally:
            await conductor.end_crew()


class _Conductor:
    """One run of the kernel engine."""

    def __init__(self, job: Job, recorder: Recorder, watch: Watch, role_loop: str) -> None:
        self._job = job
        self._recorder = recorder
        self._watch = watch
        self._t0_ns = 0
        self._settings = cast(job.scenario, job.folder, job.connections, role_loop)
        self._meter = ProgressMeter(job, self._settings)
        self._stop_level = 0
        self._recording_error: Exception | None = None
        self._crew: _Crew | None = None

    async def conduct(self) -> None:
        """Start, run, drain, end; records are complete when this returns."""
        self._watch.show(self._meter.progress("starting", 0))
        self._crew = crew = self._start_crew()
        await self._until(lambda: all(one.ready for one in crew.members), "ready", READY_WITHIN_S)
        await self._introduce()
        self._begin()
        await self._run_to_end()
        await self._quit_roles()
        self._record_leases()
        self._event("ended", open=self._meter.count_open())

    # Starting.

    def _start_crew(self) -> _Crew:
        loop = asyncio.get_running_loop()
        control_ours, control_theirs = socket.socketpair()
        pairs = [socket.socketpair() for _ in self._settings.roles]
        theirs = [control_theirs, *(pair[1] for pair in pairs)]
        members = [_Member(spec) for spec in self._settings.roles]
        with (self._job.folder / "crew.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "simulator.live.crew"),
                    *(str(one.fileno()) for one in theirs),
                ],
                pass_fds=[one.fileno() for one in theirs],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C is for the conductor, which tells the crew
            )
        for one in theirs:
            one.close()
        crew = _Crew(members, process)
        crew.control = Channel(
            loop,
            control_ours,
            lambda head, _tail: self._on_control(crew, head),
            lambda _why: self._on_crew_end(crew),
        )
        for member, pair in zip(members, pairs, strict=True):
            member.channel = Channel(
                loop, pair[0], self._listener(member), self._end_listener(member)
            )
        crew.control.send({"conductor": os.getpid(), "crew": self._settings.to_json()})
        return crew

    def _environment(self) -> dict[str, str]:
        """A cleared environment: what Python needs, and the tag `clean` looks for."""
        package_root = str(Path(simulator.__file__).parent.parent)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        owner = f"{os.getpid()}:{start_ticks(os.getpid())}"
        return {
            **kept,
            "PYTHONPATH": package_root,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            TAG: f"{self._job.folder.name}:{owner}",
        }

    def _listener(self, member: _Member) -> Callable[[Message, bytes], None]:
        return lambda head, tail: self._on_role(member, head, tail)

    def _end_listener(self, member: _Member) -> Callable[[str], None]:
        return lambda _why: self._wake()

    def _wake(self) -> None:
        if self._crew is not None:
            self._crew.news.set()

    async def _until(self, holds: Callable[[], bool], what: str, within_s: float) -> None:
        """Wait for news until a condition holds; any failure of the crew ends the wait."""
        assert self._crew is not None
        crew = self._crew
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    self._raise_failure()
                    if crew.ended or any(member.lost for member in crew.members):
                        raise RunFailed(self._with_log("The crew ended before the run began."))
                    crew.news.clear()
                    await crew.news.wait()
        except TimeoutError:
            late = [one.name for one in crew.members if not one.ready]
            raise RunFailed(
                self._with_log(f"Not {what} within {within_s:.0f} s: {', '.join(late) or 'crew'}.")
            ) from None

    async def _introduce(self) -> None:
        """Tell whoever connects to backends where they listen, and wait until they know."""
        assert self._crew is not None
        endpoints = [
            [lease[0], lease[1], lease[2]]
            for member in self._crew.of("backend")
            for lease in (member.ready or {})["leases"]
        ]
        endpoints.sort()
        told = self._crew.of("balancer") or self._crew.of("client")
        for member in told:
            assert member.channel is not None
            assert member.ready is not None
            member.ready.pop("members", None)
            member.channel.send({"do": "membership", "insert": endpoints, "remove": []})
        await self._until(
            lambda: all("members" in (one.ready or {}) for one in told), "introduced", 10.0
        )

    def _begin(self) -> None:
        assert self._crew is not None
        assert self._crew.started is not None
        self._t0_ns = monotonic_ns() + _LEAD_NS
        self._suspend_gap_ns = boottime_ns() - monotonic_ns()
        self._meter.begin(self._t0_ns)
        crew, started, scenario = self._crew, self._crew.started, self._job.scenario
        self._event(
            "started",
            front=None if scenario.balancer.driver == "none" else ":".join(map(str, FRONT)),
            client_addresses=client_addresses(scenario),
            backend_addresses=backend_addresses(scenario),
            mode=started["mode"],
            init=started["init"],
            pids={one.name: (one.ready or {}).get("pid") for one in crew.members},
            crew_ready_ns=self._ready_ns,
        )
        self._event("sysctls", values=started["sysctls"])
        begin = 0
        for phase in scenario.traffic:
            self._event("phase", t_ns=begin, name=phase.name, warmup=phase.warmup)
            begin += phase.for_ns
        for member in crew.members:
            assert member.channel is not None
            member.channel.send({"do": "start", "t0_ns": self._t0_ns})

    @property
    def _ready_ns(self) -> dict[str, int]:
        """How long after PID 1's word each kind of role was ready, in ns (latest of its kind)."""
        assert self._crew is not None
        assert self._crew.started is not None
        begin = self._crew.started["at_ns"]
        return {
            kind: max((one.ready or {})["at_ns"] for one in self._crew.of(kind)) - begin
            for kind in sorted({one.spec.kind for one in self._crew.members})
        }

    # Running.

    async def _run_to_end(self) -> None:
        end_ns = self._t0_ns + self._job.scenario.duration_ns
        last_ns = end_ns + self._job.scenario.grace
        while True:
            await asyncio.sleep(_STEP_S)
            now = monotonic_ns()
            self._raise_failure()
            self._obey_watch()
            state = "draining" if now >= end_ns or self._stop_level else "running"
            self._watch.show(self._meter.progress(state, now))
            if self._meter.is_finished and (now >= end_ns or self._stop_level):
                break
            if now >= last_ns or self._stop_level >= 2 or self._nobody_left():
                break
        asleep = boottime_ns() - monotonic_ns() - self._suspend_gap_ns
        if asleep > 1_000_000_000:
            self._event("pause", gap_ns=asleep, role="machine")

    def _nobody_left(self) -> bool:
        assert self._crew is not None
        return self._crew.ended or all(member.lost for member in self._crew.of("client"))

    def _obey_watch(self) -> None:
        level = self._watch.stop_level()
        if level > self._stop_level:
            self._stop_level = level
            self._event("stopping", level=level)
            self._tell(("client",), {"do": "stop"})

    def _tell(self, kinds: Iterable[str], message: Message) -> None:
        assert self._crew is not None
        for member in self._crew.of(*kinds):
            if member.channel is not None:
                member.channel.send(message)

    # What roles and PID 1 say.

    def _on_control(self, crew: _Crew, head: Message) -> None:
        word = head.get("is")
        if word == "crew":
            crew.started = {**head, "at_ns": monotonic_ns()}
        elif word == "refused":
            crew.refused = str(head["message"])
        elif word == "failed":
            crew.failure = str(head["traceback"])
        elif word == "exited":
            self._on_exit(crew, head)
        crew.news.set()

    def _on_exit(self, crew: _Crew, head: Message) -> None:
        if head["code"] == 0:
            return  # a clean end; its last words may still be on their way on its own channel
        for member in crew.members:
            same = member.spec.kind == head["role"] and member.spec.index == head["index"]
            if same and member.done is None:
                member.lost = True
                self._event("role-lost", role=head["role"], index=head["index"], code=head["code"])

    def _on_crew_end(self, crew: _Crew) -> None:
        crew.ended = True
        crew.news.set()

    def _on_role(self, member: _Member, head: Message, tail: bytes) -> None:
        word = head.pop("is", None)
        try:
            self._take(member, word, head, tail)
        except Exception as error:  # noqa: BLE001 - raised again by the run's own loop
            self._recording_error = self._recording_error or error
        if word != "tick":
            self._wake()

    def _take(self, member: _Member, word: object, head: Message, tail: bytes) -> None:
        spec = member.spec
        if word == "tick":
            self._meter.tick(spec, head)
            self._recorder.line("roles", {"role": spec.kind, "index": spec.index, **head})
        elif word == "sample":
            self._meter.sample(head)
            self._recorder.line("samples", head)
        elif word in ("dials", "refusals"):
            self._recorder.rows(word, spec.index, tail)
        elif word == "ready":
            member.ready = {**head, "at_ns": monotonic_ns()}
        elif word == "members":
            assert member.ready is not None
            member.ready["members"] = head["count"]
        elif word == "done":
            member.done = head
        elif word == "pause":
            self._event("pause", role=spec.kind, index=spec.index, **head)
        elif word == "failed":
            assert self._crew is not None
            self._crew.failure = f"{member.name}:\n{head['traceback']}"

    def _raise_failure(self) -> None:
        assert self._crew is not None
        if self._recording_error is not None:
            raise self._recording_error
        if self._crew.refused is not None:
            raise Refused(self._crew.refused)
        if self._crew.failure is not None:
            (self._job.folder / "failure.txt").write_text(self._crew.failure)
            last = self._crew.failure.strip().splitlines()[-1]
            raise RunFailed(
                f"A role of the run broke: {last}\nIts traceback is in "
                f"{self._job.folder / 'failure.txt'}; what was measured until then is kept."
            )

    def _event(self, event: str, /, *, t_ns: int | None = None, **data: object) -> None:
        if t_ns is None:
            t_ns = monotonic_ns() - self._t0_ns if self._t0_ns else -1
        self._recorder.line("events", {"t_ns": t_ns, "event": event, **data})

    def _with_log(self, text: str) -> str:
        try:
            log = (self._job.folder / "crew.log").read_text(errors="replace").strip()
        except OSError:
            log = ""
        return f"{text}\n{log[-2000:]}" if log else text

    # Ending.

    async def _quit_roles(self) -> None:
        """Last sample first, then from the clients down to the backends."""
        assert self._crew is not None
        for kind in ("sampler", "client", "balancer", "backend"):
            waiting = [
                one for one in self._crew.of(kind) if not one.lost and one.channel is not None
            ]
            for member in waiting:
                assert member.channel is not None
                member.channel.send({"do": "quit"})
            await self._wait_done(waiting)

    async def _wait_done(self, waiting: list[_Member]) -> None:
        assert self._crew is not None
        crew = self._crew
        try:
            async with asyncio.timeout(QUIT_WITHIN_S):
                while not crew.ended and any(not (one.done or one.lost) for one in waiting):
                    self._raise_failure()
                    crew.news.clear()
                    await crew.news.wait()
        except TimeoutError:
            for member in waiting:
                if member.done is None:
                    member.lost = True
                    self._event(
                        "role-lost", role=member.spec.kind, index=member.spec.index, code=None
                    )

    def _record_leases(self) -> None:
        """Write each lease with its end: when the process closed its listeners, or was lost."""
        assert self._crew is not None
        for member in self._crew.of("backend"):
            if member.ready is None:
                continue
            released = (member.done or {}).get("released_ns")
            for backend, address, port, from_ns, lost in member.ready["leases"]:
                self._recorder.line(
                    "leases",
                    {
                        "backend": backend,
                        "address": address,
                        "port": port,
                        "allocator": self._job.scenario.backends.ports,
                        "from_ns": from_ns - self._t0_ns,
                        "to_ns": None if released is None else released - self._t0_ns,
                        "lost_races": lost,
                    },
                )

    async def end_crew(self) -> None:
        """End PID 1 and, with it, all that lives below; then wait until the kernel has done so."""
        crew = self._crew
        if crew is None:
            return
        if crew.control is not None:
            crew.control.send({"do": "quit"})
        try:
            await asyncio.wait_for(asyncio.to_thread(crew.process.wait), QUIT_WITHIN_S)
        except TimeoutError:
            crew.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(crew.process.wait)
        for member in crew.members:
            if member.channel is not None:
                member.channel.close()
        if crew.control is not None:
            crew.control.close()
        log = self._job.folder / "crew.log"
        if log.exists() and log.stat().st_size == 0:
            log.unlink()
