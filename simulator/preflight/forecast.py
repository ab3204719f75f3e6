"""What closed forms expect of a run: the values that `predict` fills in, and the run over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulator.ports.budget import HopBudget
    from simulator.preflight.flow import Flow
    from simulator.preflight.reach import NotApplied
    from simulator.theory.fluid import Course
    from simulator.theory.parity import Walk

    Floats = NDArray[np.float64]

#: Points of a course: enough for a chart.
POINTS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class HopState:
    """Tuples of one hop's fullest group at the end of a phase, on average."""

    hop: str
    in_use: float
    established: float
    time_wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseForecast:
    """What one phase comes to.

    Attributes:
        name: of the phase.
        end_s: when it is over, s since the start.
        asked: connections due in it, on average.
        ok: of those, the ones that find all their ports; None where counts are not predicted.
        failed: the others.
        by: where `failed` comes from: ``none``, ``fluid limit``, ``Erlang B`` or both.
        states: of each hop at its end.
    """

    name: str
    end_s: float
    asked: float
    ok: float | None
    failed: float | None
    by: str
    states: tuple[HopState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HopForecast:
    """What one hop comes to.

    Attributes:
        hop: its label.
        budget: tuples of one group, health checks' own taken off.
        groups: how many groups there are.
        ceiling_per_s: connections per second that can go on; None = no limit.
        law: that as a division.
        wall_at_s: when the first connection is expected to find no port, None = never.
        in_use_peak: most tuples of one group in use at once.
        failed: connections that fail here; None where counts are not predicted.
        uses_per_tuple: how often each tuple is used over the run, on average.
        walk: ports that the kernel looks at for one connect when the hop is at its fullest; None
            where the kernel does not choose.
    """

    hop: str
    budget: int
    groups: int
    ceiling_per_s: float | None
    law: str
    wall_at_s: float | None
    in_use_peak: float
    failed: float | None
    uses_per_tuple: float
    walk: Walk | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseForecast:
    """A run over time, in bins of equal width.

    Attributes:
        t_s: end of each bin, s since the start.
        asked: connections due in each.
        failed: of those, the ones that find no port.
        in_use: hop -> tuples of one group in use at the end of each.
        established: hop -> of those, the ones of open connections; the others are in TIME_WAIT.
    """

    t_s: tuple[float, ...]
    asked: tuple[float, ...]
    failed: tuple[float, ...]
    in_use: Mapping[str, tuple[float, ...]]
    established: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The answer of the closed forms for one scenario.

    Attributes:
        verdict: that a run is expected to give.
        sentence: all of it in one.
        asked: connections, on average over seeds.
        asked_deviation: of that number from seed to seed.
        asked_peak_per_s: highest rate.
        ok: connections that succeed; None where counts are not predicted.
        failed: connections that find no port; None likewise.
        hops: in the order a connection takes them.
        phases: in order.
        course: the run over time, also where counts are not predicted: as far as ports go.
        not_applied: why counts are not predicted; empty when they are.
        notes: what else a reader should know.
    """

    verdict: str
    sentence: str
    asked: float
    asked_deviation: float
    asked_peak_per_s: float
    ok: float | None
    failed: float | None
    hops: tuple[HopForecast, ...]
    phases: tuple[PhaseForecast, ...]
    course: CourseForecast
    not_applied: tuple[NotApplied, ...]
    notes: tuple[str, ...]


def course_of(
    flow: Flow, course: Course, refused: Floats, budgets: Sequence[HopBudget]
) -> CourseForecast:
    """The course of a forecast, from its steps.

    Args:
        flow: of the connections.
        course: of the fluid.
        refused: by each hop in each step, chance included, shape (hops, steps).
        budgets: of the hops.
    """
    ends = np.linspace(0, flow.steps, min(POINTS, flow.steps) + 1).round().astype(np.int64)
    last = ends[1:] - 1
    in_use, established = {}, {}
    for index, budget in enumerate(budgets):
        groups = max(1, budget.groups)
        used = course.in_use[index][last] / groups
        in_use[budget.name] = tuple(used.tolist())
        is_open = np.clip(course.is_open[last] / groups, 0.0, used)
        established[budget.name] = tuple(is_open.tolist())
    return CourseForecast(
        t_s=tuple((ends[1:] * flow.step_s).tolist()),
        asked=tuple(np.add.reduceat(flow.offered, ends[:-1]).tolist()),
        failed=tuple(np.add.reduceat(refused.sum(axis=0), ends[:-1]).tolist()),
        in_use=in_use,
        established=established,
    )
