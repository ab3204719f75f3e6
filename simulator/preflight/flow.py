"""A scenario's connections as a flow over time: how many come when, and how long they stay.

Rates are taken as they are written, so that any number of connections costs the same. How long
connections are open is a sample, drawn by the plan's own rules from the scenario's seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.preflight.hops import asked_peak_per_s, open_ns
from simulator.scenario.arrivals import Arrivals, Rate
from simulator.theory.fluid import Stay, stay_of
from simulator.traffic.curves import asked_by
from simulator.traffic.plan import expected_connections, make_plan
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario
    from simulator.scenario.trace_file import Trace
    from simulator.traffic.plan import Plan

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Steps that a run is cut into: fine enough for a thousandth of its length.
STEPS: Final = 8192
#: Connections of each phase whose times are drawn.
_SAMPLE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """Connections over time.

    Attributes:
        step_s: length of a step, s.
        offered: connections that are due in each step, on average, shape (steps,).
        kinds: phase of each step, shape (steps,).
        stays: how long the connections of each phase are open.
        ends_s: when each phase is over, s since the start.
        mean_open_s: how long a connection is open, over all that are asked, s.
        asked_variance: of the number of connections, from seed to seed.
        asked_peak_per_s: highest rate.
        sample: a small plan of the same shape.
    """

    step_s: float
    offered: Floats
    kinds: Ints
    stays: tuple[Stay, ...]
    ends_s: tuple[float, ...]
    mean_open_s: float
    asked_variance: float
    asked_peak_per_s: float
    sample: Plan

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.offered)


def flow_of(
    scenario: Scenario, traces: Mapping[str, Trace], *, load: float = 1.0, steps: int = STEPS
) -> Flow:
    """The flow of a scenario's connections.

    A closed loop is taken for users who never wait for longer than an ideal network makes them.

    Args:
        scenario: what is asked.
        traces: the trace files that it names.
        load: so many times the connections that it asks for.
        steps: that the run is cut into.

    Raises:
        Refused: a trace was not read.
    """
    thin = scenario.model_copy(
        update={
            "traffic": tuple(_thin(phase, traces) for phase in scenario.traffic),
            "clients": scenario.clients.model_copy(update={"retry": None}),
        }
    )
    sample = make_plan(thin, traces)
    opened = open_ns(thin, sample)
    ideal = scenario.model_copy(
        update={"traffic": tuple(_open_loop(phase) for phase in scenario.traffic)}
    )
    step_s = scenario.duration_ns / NS_PER_S / steps
    edges = np.arange(1, steps + 1) * (step_s * NS_PER_S)
    offered = np.zeros(steps)
    stays: list[Stay] = []
    kinds = np.zeros(steps, dtype=np.int64)
    begins = 0
    total_open = variance = 0.0
    for index, phase in enumerate(ideal.traffic):
        ends = begins + phase.for_ns
        within = np.clip(edges - begins, 0, phase.for_ns)
        asked = load * asked_by(phase, within, traces)
        asked[edges <= begins] = 0.0
        offered += np.diff(asked, prepend=0.0)
        kinds[edges - step_s * NS_PER_S / 2 >= begins] = index
        times = opened[sample.columns["phase"] == index] / NS_PER_S
        to_the_end = phase.hold is not None and scenario.balancer.close in ("client", "reset")
        until = round(ends / NS_PER_S / step_s) if to_the_end else None
        stays.append(_stay(times, step_s, until))
        total_open += float(times.mean()) * float(asked[-1]) if len(times) else 0.0
        if phase.arrivals is not None and phase.arrivals.poisson is not None:
            variance += float(asked[-1])
        begins = ends
    count = float(offered.sum())
    return Flow(
        step_s=step_s,
        offered=offered,
        kinds=kinds,
        stays=tuple(stays),
        ends_s=tuple(np.cumsum([phase.for_ns / NS_PER_S for phase in scenario.traffic]).tolist()),
        mean_open_s=total_open / count if count else 0.0,
        asked_variance=variance,
        asked_peak_per_s=load * asked_peak_per_s(ideal, sample),
        sample=sample,
    )


def _stay(times_s: Floats, step_s: float, until: int | None) -> Stay:
    known = stay_of(times_s if len(times_s) else np.zeros(1), step_s)
    return Stay(steps=known.steps, shares=known.shares, until=until)


def _arrivals(count: float, for_ns: int) -> Arrivals:
    per_s = max(count, 1.0) * NS_PER_S / for_ns
    # Unchecked: an ideal network may make users faster than any file may ask for.
    empty = {"steps": None, "bursts": None, "sine": None}
    rate = Rate.model_construct(from_per_s=per_s, to_per_s=per_s, **empty)
    return Arrivals.model_construct(constant=rate, poisson=None, trace=None)


def _open_loop(phase: Phase) -> Phase:
    """A phase whose users come at the rate of an ideal network."""
    if phase.users is None:
        return phase
    count = expected_connections(phase, {})
    return phase.model_copy(update={"users": None, "arrivals": _arrivals(count, phase.for_ns)})


def _thin(phase: Phase, traces: Mapping[str, Trace]) -> Phase:
    """The same phase with few connections; a trace keeps its own."""
    count = ceil(expected_connections(phase, traces))
    if phase.arrivals is not None and phase.arrivals.trace is not None:
        return phase
    if phase.hold is not None:
        few = min(count, _SAMPLE)
        rate = phase.hold.rate * few / max(1, count)
        hold = phase.hold.model_copy(update={"connections": few, "rate": rate})
        return phase.model_copy(update={"hold": hold})
    few = min(count, _SAMPLE)
    return phase.model_copy(update={"users": None, "arrivals": _arrivals(few, phase.for_ns)})
