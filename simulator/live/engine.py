"""The kernel engine: the conductor on the host side of one run.

It starts the crew, waits until every role has said that it is ready, tells all of them one moment
at which the run begins, keeps what they report, and ends them. It makes no decision about traffic;
the plan did that. Whatever happens, the crew is gone when `run` returns or raises.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from simulator.clock import boottime_ns, monotonic_ns
from simulator.errors import RunFailed
from simulator.kernel.limits import memory_available
from simulator.kernel.sysctls import refuse_what_is_missing
from simulator.live.aiming import aim, write_pools
from simulator.live.casting import cast
from simulator.live.casting_sidecar import sidecar_told
from simulator.live.logbook import Logbook
from simulator.live.memory import MemoryGauge
from simulator.live.moves import Moves
from simulator.live.progress import ProgressMeter
from simulator.live.roster import QUIT_WITHIN_S, Member, Roster
from simulator.preflight.model_only import refuse_model_only
from simulator.preflight.places import FRONT, backend_addresses, client_addresses
from simulator.records import ROW_STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.engine import Job, Recorder, Watch
    from simulator.live.channel import Message

READY_WITHIN_S: Final = 20.0
INTRODUCED_WITHIN_S: Final = 10.0
_LEAD_NS: Final = 60_000_000  # between saying the start and the start
_STEP_S: Final = 0.05
#: More time to end for each planned connection: the last sample may read as many TIME_WAITs.
_QUIT_EACH_S: Final = 2e-5
#: Counting the ledger takes at most one part in so many of a core from what is measured.
_COUNT_SHARE: Final = 20
_SUSPENDED_NS: Final = 1_000_000_000


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
        refuse_model_only(job.scenario)
        refuse_what_is_missing(job.scenario.kernel)
        conductor = _Conductor(job, recorder, watch, self._role_loop)
        try:
            await conductor.conduct()
        finally:
            await conductor.end()


class _Conductor:
    """One run of the kernel engine; the roster's listener."""

    def __init__(self, job: Job, recorder: Recorder, watch: Watch, role_loop: str) -> None:
        self._job = job
        self._scenario = job.scenario
        self._recorder = recorder
        self._watch = watch
        settings = cast(job.scenario, job.folder, job.connections, role_loop)
        self._roster = Roster(settings, job.folder, self)
        self._logbook = Logbook(recorder)
        self._moves = Moves(job.scenario, self._roster, self._logbook)
        self._meter = ProgressMeter(job, settings)
        self._memory = MemoryGauge(memory_available)
        self._pools: list[Message] = []
        self._stop_level = 0
        self._suspend_gap_ns = 0

    async def conduct(self) -> None:
        """Start, run, drain, end; records are complete when this returns."""
        self._watch.show(self._meter.progress("starting", 0))
        self._roster.start()
        await self._until_ready()
        await self._introduce()
        self._begin()
        await self._run_to_end()
        await self._quit_roles()
        self._logbook.end_leases(self._roster.of("backend"), self._scenario.backends.ports)
        kernel_memory = self._memory.finding()
        if kernel_memory is not None:
            self._logbook.event("kernel-memory", **kernel_memory)
        self._logbook.event("ended", open=self._meter.count_open())

    async def end(self) -> None:
        """End the crew and let go of the ledger."""
        self._moves.stop()
        try:
            await self._roster.end()
        finally:
            self._meter.close()

    # Before the run.

    async def _until_ready(self) -> None:
        roster = self._roster
        await self._expect(roster.members, lambda one: one.ready is not None, "ready")
        if not await roster.wait_until(lambda: roster.started is not None, READY_WITHIN_S):
            raise self._failed("The crew's PID 1 did not say how it runs.")

    async def _introduce(self) -> None:
        """Tell whoever connects to backends where they listen, and wait until they know."""
        endpoints = [
            [backend, address, port]
            for member in self._roster.of("backend")
            for backend, address, port, *_ in (member.ready or {})["leases"]
        ]
        endpoints.sort()
        told = self._roster.of("balancer") or self._roster.of("client")
        self._roster.tell(told, {"do": "membership", "insert": endpoints, "remove": []})
        await self._expect(told, lambda one: one.members is not None, "introduced")
        aimed = aim(self._roster, self._pools, endpoints)
        await self._expect(aimed, lambda one: one.members is not None, "aimed")

    async def _expect(
        self, members: list[Member], has_said: Callable[[Member], bool], what: str
    ) -> None:
        """Wait until each of some members has said something; all are needed for a run.

        Raises:
            RunFailed: one ended or said nothing in time, or the user will not wait for it.
        """
        within_s = READY_WITHIN_S if what == "ready" else INTRODUCED_WITHIN_S
        deadline_ns = monotonic_ns() + int(within_s * 1e9)

        def settled() -> bool:
            return any(one.is_lost for one in members) or all(map(has_said, members))

        while not await self._roster.wait_until(settled, _STEP_S):
            if self._watch.stop_level() >= 2:
                raise RunFailed("Stopped before the run began; nothing was measured.")
            if monotonic_ns() >= deadline_ns or self._roster.has_ended:
                break
        lost = [one.name for one in members if one.is_lost]
        if lost:
            raise self._failed(f"Ended before the run began: {', '.join(lost)}.")
        late = [one.name for one in members if not has_said(one)]
        if late:
            raise self._failed(f"Not {what} within {within_s:g} s: {', '.join(late)}.")

    def _failed(self, text: str) -> RunFailed:
        log = self._roster.log_tail()
        return RunFailed(f"{text}\n{log}" if log else text)

    def _begin(self) -> None:
        """Say the moment of the start to everybody."""
        t0_ns = monotonic_ns() + _LEAD_NS
        self._logbook.t0_ns = t0_ns
        self._suspend_gap_ns = boottime_ns() - monotonic_ns()
        self._meter.begin(t0_ns)
        self._memory.begin()
        self._write_beginning()
        self._roster.tell(self._roster.members, {"do": "start", "t0_ns": t0_ns})
        self._moves.begin()

    def _write_beginning(self) -> None:
        roster, scenario, logbook = self._roster, self._scenario, self._logbook
        assert roster.started is not None
        logbook.event(
            "started",
            front=None if scenario.balancer.driver == "none" else ":".join(map(str, FRONT)),
            **sidecar_told(scenario),
            client_addresses=client_addresses(scenario),
            backend_addresses=backend_addresses(scenario),
            mode=roster.started["mode"],
            init=roster.started["init"],
            pids={one.name: (one.ready or {}).get("pid") for one in roster.members},
            crew_ready_ns=self._ready_ns(roster.begun_ns),
        )
        logbook.event("sysctls", values=roster.started["sysctls"])
        begins_ns = 0
        for phase in scenario.traffic:
            logbook.event("phase", t_ns=begins_ns, name=phase.name, warmup=phase.warmup)
            begins_ns += phase.for_ns
        logbook.begin_leases(roster.of("backend"), scenario.backends.ports)
        write_pools(self._pools, logbook)

    def _ready_ns(self, begin_ns: int) -> dict[str, int]:
        """How long after its start the crew had each kind of role ready, in ns (the latest)."""
        latest: dict[str, int] = {}
        for one in self._roster.members:
            waited = (one.ready or {})["at_ns"] - begin_ns
            latest[one.spec.kind] = max(waited, latest.get(one.spec.kind, waited))
        return dict(sorted(latest.items()))

    # The run.

    async def _run_to_end(self) -> None:
        end_ns = self._logbook.t0_ns + self._scenario.duration_ns
        last_ns = end_ns + self._scenario.grace
        step_s = _STEP_S
        while True:
            await asyncio.sleep(step_s)
            now = monotonic_ns()
            self._roster.check()
            if self._obey_watch():
                last_ns = min(last_ns, now + self._scenario.grace)
            is_over = now >= end_ns or self._stop_level > 0
            progress = self._meter.progress("draining" if is_over else "running", now)
            self._memory.note(progress.open)
            self._watch.show(progress)
            step_s = max(_STEP_S, (monotonic_ns() - now) * _COUNT_SHARE / 1e9)
            if is_over and self._meter.is_finished:
                break
            if now >= last_ns or self._stop_level >= 2 or self._nobody_left():
                break
        asleep = boottime_ns() - monotonic_ns() - self._suspend_gap_ns
        if asleep > _SUSPENDED_NS:
            self._logbook.event("pause", gap_ns=asleep, role="machine")

    def _nobody_left(self) -> bool:
        return self._roster.has_ended or all(one.is_lost for one in self._roster.of("client"))

    def _obey_watch(self) -> bool:
        """Pass on a wish to stop; whether there is a new one."""
        level = self._watch.stop_level()
        if level <= self._stop_level:
            return False
        self._stop_level = level
        self._logbook.event("stopping", level=level)
        self._roster.tell(self._roster.of("client", "forger"), {"do": "stop"})
        return True

    def heard(self, member: Member, word: str, head: Message, tail: bytes) -> None:
        """Keep what a role reports (`roster.Listener`)."""
        spec = member.spec
        if word == "tick":
            self._meter.tick(spec, head)
            self._memory.role(spec.kind, spec.index, head["rss_bytes"])
            self._recorder.line("roles", {"role": spec.kind, "index": spec.index, **head})
        elif word == "sample":
            self._meter.sample(head)
            self._recorder.line("samples", head)
        elif word in ROW_STREAMS:
            self._recorder.rows(word, spec.index, tail)
        elif word == "driver":
            self._logbook.driver(self._job.folder, head, tail)
        elif word == "pool":
            self._pools.append(head)
        elif word == "pause":
            self._logbook.event("pause", role=spec.kind, index=spec.index, **head)
        else:
            self._moves.heard(member, word, head)

    def lost(self, member: Member) -> None:
        """Write down a role that ended without last words (`roster.Listener`)."""
        spec = member.spec
        self._logbook.event("role-lost", role=spec.kind, index=spec.index, code=member.exit_code)

    # After the run.

    async def _quit_roles(self) -> None:
        """Last sample first, then from the clients down to the backends."""
        self._moves.stop()
        for kind in ("sampler", "client", "forger", "sidecar", "balancer", "backend"):
            asked = [one for one in self._roster.of(kind) if one.is_expected]
            self._roster.tell(asked, {"do": "quit"})
            await self._roster.wait_until(
                lambda asked=asked: not any(one.is_expected for one in asked),  # type: ignore[misc]
                QUIT_WITHIN_S + _QUIT_EACH_S * self._job.connections,
            )
            for member in asked:
                self._roster.give_up(member)
