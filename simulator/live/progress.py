"""How a run stands, from the shared ledger and the newest reports; for the live display."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.engine import HopNow, Progress
from simulator.records import Outcome

if TYPE_CHECKING:
    from simulator.engine import Job
    from simulator.live.channel import Message
    from simulator.live.settings import CrewSettings, RoleSpec

_WINDOW_NS: Final = 1_000_000_000


class ProgressMeter:
    """Counts outcomes in the ledger and keeps what the sampler and the balancers said last."""

    def __init__(self, job: Job, settings: CrewSettings) -> None:
        self._job = job
        self._outcome = np.load(job.folder / "connections" / "outcome.npy", mmap_mode="r")
        self._due = np.load(job.folder / "plan" / "due_ns.npy", mmap_mode="r")
        self._t0_ns = 0
        self._hops: tuple[HopNow, ...] = ()
        self._errors: dict[tuple[str, int], dict[str, int]] = {}
        self._window: deque[tuple[int, int, int]] = deque()
        self._count()

    def begin(self, t0_ns: int) -> None:
        """The run starts at this monotonic time."""
        self._t0_ns = t0_ns

    @property
    def is_finished(self) -> bool:
        """Whether every planned connection has ended or been given up."""
        return int(self._counts[Outcome.PLANNED] + self._counts[Outcome.OPEN]) == 0

    def count_open(self) -> int:
        """Connections still open, counted now."""
        self._count()
        return int(self._counts[Outcome.OPEN])

    def close(self) -> None:
        """Let go of the mapped columns; the counts stay."""
        self._outcome = self._due = np.zeros(0, dtype=np.uint8)

    def _count(self) -> None:
        # One pass for each outcome over single bytes is several times faster than a bincount,
        # which widens every one of them to eight.
        self._counts = np.array(
            [np.count_nonzero(self._outcome == outcome) for outcome in Outcome], dtype=np.int64
        )

    def tick(self, spec: RoleSpec, head: Message) -> None:
        """A role's counters."""
        if spec.kind in ("balancer", "sidecar"):
            self._errors[(spec.kind, spec.index)] = dict(head.get("dial_errors", {}))

    def sample(self, head: Message) -> None:
        """A sample of the socket table."""
        self._hops = tuple(_hop_now(name, hop) for name, hop in head["hops"].items())

    def _phase(self, elapsed_ns: int) -> tuple[str, int]:
        end = 0
        for phase in self._job.scenario.traffic:
            end += phase.for_ns
            if elapsed_ns < end:
                return phase.name, end - phase.for_ns
        return self._job.scenario.traffic[-1].name, end

    def _asked_per_s(self, elapsed_ns: int) -> float:
        low = max(0, elapsed_ns - _WINDOW_NS)
        if elapsed_ns <= low:
            return 0.0
        first, last = np.searchsorted(self._due, [low, elapsed_ns])
        return float(last - first) * 1e9 / (elapsed_ns - low)

    def progress(self, state: str, now_ns: int) -> Progress:
        """The newest numbers; counting a million rows takes about a millisecond."""
        elapsed = max(0, now_ns - self._t0_ns) if self._t0_ns else 0
        self._count()
        counts = self._counts
        ok, failed = int(counts[Outcome.OK]), int(counts[Outcome.FAILED])
        open_now = int(counts[Outcome.OPEN])
        sent = ok + failed + open_now
        self._window.append((elapsed, sent, ok))
        while len(self._window) > 2 and elapsed - self._window[0][0] > _WINDOW_NS:
            self._window.popleft()
        then = self._window[0]
        span = max(elapsed - then[0], 1) / 1e9
        total: dict[str, int] = {}
        for (kind, _), errors in self._errors.items():
            for key, number in errors.items():
                total[f"{kind} {key}"] = total.get(f"{kind} {key}", 0) + number
        return Progress(
            state=state,
            phase=self._phase(elapsed)[0],
            elapsed_s=elapsed / 1e9,
            left_s=max(0.0, (self._job.scenario.duration_ns - elapsed) / 1e9),
            planned=self._job.connections,
            sent=sent,
            ok=ok,
            failed=failed,
            open=open_now,
            sent_per_s=(sent - then[1]) / span,
            ok_per_s=(ok - then[2]) / span,
            asked_per_s=self._asked_per_s(elapsed),
            errors=total,
            hops=self._hops,
        )


def _hop_now(name: str, hop: dict[str, Any]) -> HopNow:
    worst = hop["worst"] or {"established": 0, "time_wait": 0, "other": 0}
    return HopNow(
        name=name,
        budget=hop["budget"],
        established=worst["established"],
        time_wait=worst["time_wait"],
        other=worst["other"],
    )
