"""How a run of the model shows where it stands, and hears that it should stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.engine import Progress
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from simulator.engine import HopNow, Job, Watch
    from simulator.scenario.schema import Scenario

#: Progress is shown, and a wish to stop looked for, so often.
SHOW_NS: Final = 100_000_000


class _Pause:
    """Lets the loop that runs the engine look at its other work, such as signals."""

    def __await__(self) -> Generator[None]:
        yield


class Showing:
    """Shows progress now and then.

    Args:
        watch: whom to tell, and who may wish to stop.
        clock: monotonic time in ns.

    Attributes:
        stop_level: what was wished last; see `engine.Watch`.
    """

    def __init__(self, watch: Watch, clock: Callable[[], int]) -> None:
        self._watch = watch
        self._clock = clock
        self._shown_ns = 0
        self.stop_level = 0

    async def now(self, progress: Callable[[], Progress]) -> bool:
        """Show progress if it is time to; whether there is a new wish to stop."""
        clock_ns = self._clock()
        if clock_ns - self._shown_ns < SHOW_NS:
            return False
        self._shown_ns = clock_ns
        self._watch.show(progress())
        await _Pause()
        level = self._watch.stop_level()
        if level <= self.stop_level:
            return False
        self.stop_level = level
        return True


def progress_at(  # noqa: PLR0913 - what a run has counted so far
    job: Job,
    state: str,
    now_ns: int,
    *,
    planned: int,
    asked: int,
    sent: int,
    ok: int,
    failed: int,
    still_open: int,
    hops: Sequence[HopNow] = (),
) -> Progress:
    """How a run stands at a moment of its own time; rates are of modelled time too."""
    scenario = job.scenario
    seconds = max(now_ns, 1) / NS_PER_S
    return Progress(
        state=state,
        phase=_phase_at(scenario, now_ns),
        elapsed_s=seconds,
        left_s=max(0.0, (scenario.duration_ns - now_ns) / NS_PER_S),
        planned=planned,
        sent=sent,
        ok=ok,
        failed=failed,
        open=still_open,
        sent_per_s=sent / seconds,
        ok_per_s=ok / seconds,
        asked_per_s=asked / seconds,
        hops=hops,
    )


def _phase_at(scenario: Scenario, now_ns: int) -> str:
    end = 0
    for phase in scenario.traffic:
        end += phase.for_ns
        if now_ns < end:
            return phase.name
    return scenario.traffic[-1].name
