"""The model engine: a job done without a socket, on the same plan, into the same records.

Two ways lead to the same records. Where the only thing that can fail is a group of tuples, and the
waits behind a close bound how soon any comes back, whole stretches are worked out by arrays
(`stretches`). Everything else goes event by event (`world`). What asks for more connections than
are ever kept goes part by part, and leaves counts in place of rows (`stream_run`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.clock import monotonic_ns
from simulator.model.plain import is_plain
from simulator.model.plain_run import PlainRun
from simulator.model.sampling import hop_now, sample_line
from simulator.model.scope import refuse_what_is_beyond
from simulator.model.showing import Showing, progress_at
from simulator.model.stream_run import StreamRun, is_streamed
from simulator.model.world import World
from simulator.preflight.places import (
    FRONT,
    SIDECAR_FRONT,
    backend_addresses,
    client_addresses,
)
from simulator.records import OPTIONAL_COLUMNS, PLAN_COLUMNS, SERVICE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from simulator.engine import Job, Progress, Recorder, Watch
    from simulator.scenario.schema import Scenario

    Columns = dict[str, np.ndarray[Any, Any]]

NAME: Final = "model"
_BEFORE: Final = -1
#: Plain runs of no more connections go event by event, which takes them a fraction of a second.
_PORT_BY_PORT: Final = 10_000


def read_plan(folder: Path) -> Columns:
    """The plan's columns as they stand in a run's folder."""
    found = {
        name: np.load(folder / "plan" / f"{name}.npy") for name in (*PLAN_COLUMNS, *SERVICE_COLUMNS)
    }
    for name in OPTIONAL_COLUMNS:
        path = folder / "plan" / f"{name}.npy"
        if path.exists():
            found[name] = np.load(path)
    return found


class ModelEngine:
    """Runs a job as fast as that goes.

    Args:
        clock: monotonic time in ns, to tell how fast; no result depends on it.
        arrays: whether plain runs are worked out by arrays; None: where they are so large that it
            pays, as only events tell at which cost each port was found.
        compiled: whether a compiled loop may be used where there is a compiler.
    """

    name = NAME

    def __init__(
        self,
        clock: Callable[[], int] = monotonic_ns,
        *,
        arrays: bool | None = None,
        compiled: bool = True,
    ) -> None:
        self._clock = clock
        self._arrays = arrays
        self._compiled = compiled

    async def run(self, job: Job, recorder: Recorder, watch: Watch) -> None:
        """Do the job to its end (`engine.Engine`).

        Raises:
            Refused: the scenario asks for what the model cannot do.
        """
        refuse_what_is_beyond(job.scenario)
        if is_streamed(job.scenario):
            await self._stream(job, recorder, watch)
            return
        began_ns = self._clock()
        plan = read_plan(job.folder)
        by_arrays = self._arrays
        if by_arrays is None:
            by_arrays = len(plan["due_ns"]) > _PORT_BY_PORT
        if by_arrays and is_plain(job.scenario, plan):
            write_beginning(job.scenario, recorder.line)
            showing = Showing(watch, self._clock)
            plain = PlainRun(job.scenario, plan, recorder.line)
            for _ in plain.steps(job.folder, recorder):
                # All is worked out already: a wish to stop changes no more than the exit code.
                await showing.now(lambda: plain.progress(job))
            took_ns = self._clock() - began_ns
            write_speed(recorder.line, "stretches", plain.sent, took_ns)
            return
        run = _Run(job, plan, recorder, watch, self._clock)
        try:
            await run.conduct()
        finally:
            run.write()

    async def _stream(self, job: Job, recorder: Recorder, watch: Watch) -> None:
        """Do a job that is too long for rows (`stream_run`)."""
        scenario, write = job.scenario, recorder.line
        write_beginning(scenario, write)
        showing = Showing(watch, self._clock)
        run = StreamRun(scenario, write, compiled=self._compiled)
        began_ns = self._clock()
        for _ in run.parts():
            if await showing.now(lambda: run.progress(job)):
                level = showing.stop_level
                write("events", {"t_ns": run.now_ns, "event": "stopping", "level": level})
                break
        run.finish(stopped=showing.stop_level > 0)
        write_speed(write, run.path, run.sent, self._clock() - began_ns)


class _Run:
    """One run of the model, event by event."""

    def __init__(
        self,
        job: Job,
        plan: Columns,
        recorder: Recorder,
        watch: Watch,
        clock: Callable[[], int],
    ) -> None:
        self._job = job
        self._scenario = job.scenario
        self._recorder = recorder
        self._clock = clock
        self._began_ns = clock()
        self._showing = Showing(watch, clock)
        self._due = np.sort(plan["due_ns"])
        self._world = World(job.scenario, plan, recorder.line)

    async def conduct(self) -> None:
        """Begin, move from sample to sample, end."""
        write_beginning(self._scenario, self._recorder.line)
        world, every = self._world, self._scenario.sampling.every
        world.begin()
        end_ns = self._scenario.duration_ns
        last_ns = end_ns + self._scenario.grace
        now_ns = 0
        while True:
            now_ns = min(now_ns + every, last_ns)
            world.run_until(now_ns)
            self._sample(now_ns)
            is_over = now_ns >= end_ns or self._showing.stop_level > 0
            if await self._show(now_ns, is_over=is_over):
                last_ns = min(last_ns, now_ns + self._scenario.grace)
                continue
            done = not world.open and not world.turns.waits
            if (is_over and done) or now_ns >= last_ns or self._showing.stop_level >= 2:
                break
        self._end(now_ns)

    def _end(self, now_ns: int) -> None:
        opened = self._world.open
        self._world.end()
        for line in self._world.role_counters():
            self._recorder.line("roles", {"t_ns": now_ns, **line})
        self._recorder.line("events", {"t_ns": now_ns, "event": "ended", "open": opened})
        sent = self._world.records.sent_count
        write_speed(self._recorder.line, "events", sent, self._clock() - self._began_ns)

    def write(self) -> None:
        """Write what there is of connections, also after a stop."""
        for stream, worker, rows in self._world.take_rows():
            self._recorder.rows(stream, worker, rows)
        self._world.records.write(self._job.folder)

    def _sample(self, now_ns: int) -> None:
        hops = self._world.sample()
        self._recorder.line("samples", sample_line(self._scenario, now_ns, hops))
        for line in self._world.care_counters():
            self._recorder.line("roles", {"t_ns": now_ns, **line})
        for stream, worker, rows in self._world.take_rows():
            self._recorder.rows(stream, worker, rows)
        self._hops = tuple(hop_now(name, seen) for name, seen in hops.items())

    async def _show(self, now_ns: int, *, is_over: bool) -> bool:
        """Show progress now and then; whether there is a new wish to stop."""
        state = "draining" if is_over else "running"
        if not await self._showing.now(lambda: self._progress(state, now_ns)):
            return False
        event = {"t_ns": now_ns, "event": "stopping", "level": self._showing.stop_level}
        self._recorder.line("events", event)
        self._world.turns.stop()
        return True

    def _progress(self, state: str, now_ns: int) -> Progress:
        records = self._world.records
        return progress_at(
            self._job,
            state,
            now_ns,
            planned=self._job.connections,
            asked=int(np.searchsorted(self._due, now_ns, side="right")),
            sent=records.sent_count,
            ok=records.ok_count,
            failed=records.failed_count,
            still_open=self._world.open,
            hops=self._hops,
        )


def write_beginning(scenario: Scenario, write: Callable[[str, Mapping[str, Any]], None]) -> None:
    """The first events of a run: who has which addresses, and when phases begin."""
    front = ":".join(map(str, SIDECAR_FRONT))
    behind = {"sidecar_front": front} if scenario.sidecar is not None else {}
    write(
        "events",
        {
            "t_ns": _BEFORE,
            "event": "started",
            "front": None if scenario.balancer.driver == "none" else ":".join(map(str, FRONT)),
            "client_addresses": client_addresses(scenario),
            "backend_addresses": backend_addresses(scenario),
            "mode": NAME,
            **behind,
        },
    )
    begins_ns = 0
    for phase in scenario.traffic:
        line = {"t_ns": begins_ns, "event": "phase", "name": phase.name, "warmup": phase.warmup}
        write("events", line)
        begins_ns += phase.for_ns


def write_speed(
    write: Callable[[str, Mapping[str, Any]], None], path: str, sent: int, took_ns: int
) -> None:
    """Which way was taken, and how fast it was."""
    line = {"t_ns": _BEFORE, "event": "model", "path": path, "sent": sent, "took_ns": took_ns}
    write("events", line)
