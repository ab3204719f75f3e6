"""The seam between what is asked and who does it: a job, an engine, a recorder, a run.

The kernel engine (`live/`) and the model engine (`model/`) both take a `Job`, write records into
its folder by a `Recorder`, and never see measurement or reports. `Run` is what a reader of the
folder gets back; measurement knows nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from simulator.scenario.schema import Scenario

    Columns = Mapping[str, np.ndarray[Any, Any]]


#: Where the user's own configuration of a foreign balancer is kept, in a run's folder.
TEMPLATE: Final = "balancer/template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run to do: a checked scenario, and the folder that holds its plan and takes its records.

    ``folder/plan/<column>.npy`` are written before the engine starts;
    ``folder/connections/<column>.npy`` exist with every row PLANNED and times -1.
    """

    scenario: Scenario
    folder: Path
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HopNow:
    """What the live display shows of one hop: the worst tuple group at the last sample."""

    name: str
    budget: int
    established: int
    time_wait: int
    other: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a run stands now; sent several times a second to whoever watches."""

    state: str  # "starting", "running", "draining", "done"
    phase: str
    elapsed_s: float
    left_s: float
    planned: int
    sent: int
    ok: int
    failed: int
    open: int
    sent_per_s: float
    ok_per_s: float
    asked_per_s: float
    errors: Mapping[str, int] = field(default_factory=dict)
    hops: Sequence[HopNow] = ()


class Watch(Protocol):
    """Someone who is told how a run stands and may ask it to stop."""

    def show(self, progress: Progress) -> None:
        """Take the newest progress; must return at once."""
        ...

    def stop_level(self) -> int:
        """0 go on; 1 stop arrivals, drain and save; 2 end now."""
        ...


class Recorder(Protocol):
    """Where an engine writes what it sees; flushed to disk at least once a second.

    Streams are named: ``samples`` (one line a sample), ``roles`` (one line a role and tick),
    ``leases``, ``events`` and ``folded`` as JSON lines; the streams of `records.ROW_STREAMS` as
    raw little-endian rows of their columns.

    Raises:
        ResultsIncomplete: the disk would not take it.
    """

    def line(self, stream: str, record: Mapping[str, Any]) -> None:
        """Append one JSON line to ``<stream>.jsonl``."""
        ...

    def rows(self, stream: str, worker: int, data: bytes) -> None:
        """Append raw rows to ``<stream>-<worker>.bin``."""
        ...


class Engine(Protocol):
    """Something that can do a job."""

    name: str

    async def run(self, job: Job, recorder: Recorder, watch: Watch) -> None:
        """Do the job to its end; what was measured is in the folder even when this raises.

        Raises:
            Refused: the machine cannot do it; nothing was started.
            RunFailed: a role broke.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as read back from its folder: records, series and facts, and nothing live.

    Attributes:
        manifest: who, what, when and where (`store/write`).
        scenario: the resolved scenario.
        plan: PLAN_COLUMNS, each of shape (connections,), and ``service_ns``.
        connections: CONNECTION_COLUMNS, each of shape (connections,).
        dials: DIAL_COLUMNS of all balancer workers, in no order.
        refusals: REFUSAL_COLUMNS of all balancer workers, in no order.
        sidecar_dials: DIAL_COLUMNS of all sidecar workers; no rows where there is no sidecar.
        sidecar_refusals: REFUSAL_COLUMNS of all sidecar workers.
        sidecar_cuts: CUT_COLUMNS of all sidecar workers.
        questions: QUESTION_COLUMNS of all DNS servers; no rows where there are none.
        walks: WALK_COLUMNS of the model; no rows where the kernel did the run.
        samples: lines of the socket sampler, in time order.
        roles: CPU, memory and counters of each role, in time order.
        leases: who held which port from when to when.
        events: phases, sysctls read back, kernel counters, membership, faults.
        folded: counts in place of rows, of a run of more connections than are kept; else None.
    """

    manifest: Mapping[str, Any]
    scenario: Scenario
    plan: Columns
    connections: Columns
    dials: Columns
    refusals: Columns
    sidecar_dials: Columns
    sidecar_refusals: Columns
    sidecar_cuts: Columns
    questions: Columns
    walks: Columns
    samples: Sequence[Mapping[str, Any]]
    roles: Sequence[Mapping[str, Any]]
    leases: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    folded: Mapping[str, Any] | None = None
