"""A plan too long to be kept: its rows drawn some at a time, the same as `plan` draws at once.

Every stream of random numbers is read in its order, and sums are carried from one part to the
next, so that whoever joins the parts has the plan to the last bit. What depends on later rows
(closed loops, retries, numbers of requests that vary) cannot be drawn like this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.records import PLAN_COLUMNS, SERVICE_COLUMNS
from simulator.scenario.phases import MAX_CONNECTIONS
from simulator.seeds import generator
from simulator.traffic.arrivals import even_points, poisson_points
from simulator.traffic.lifetimes import draw_ns
from simulator.traffic.plan import Plan, expected_connections
from simulator.traffic.shapes import total, when

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from simulator.scenario.distributions import Duration
    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario
    from simulator.scenario.trace_file import Trace

    Times = NDArray[np.int64]
    Floats = NDArray[np.float64]

#: Rows drawn at a time: few enough for a core's own cache, enough to forget the cost of a call.
ROWS: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a plan that follow each other, all of one phase.

    Attributes:
        first: index of the first of them in the whole plan.
        phase: index of the phase.
        requests: what each carries, 0 or 1.
        due_ns: as in `records.PLAN_COLUMNS`, shape (rows,).
        lifetime_ns: the same; one value where all are alike.
        service_ns: time of the one request, 0 where there is none; one value where all are alike.
    """

    first: int
    phase: int
    requests: int
    due_ns: Times
    lifetime_ns: Times
    service_ns: Times


def planned(scenario: Scenario, traces: Mapping[str, Trace] | None = None) -> float:
    """How many connections a scenario asks for on average.

    0 for a closed loop, which is counted only as it is drawn.
    """
    if scenario.loop == "closed":
        return 0.0
    attempts = scenario.clients.retry.attempts if scenario.clients.retry else 1
    return attempts * sum(expected_connections(one, traces or {}) for one in scenario.traffic)


def is_too_long(scenario: Scenario, traces: Mapping[str, Trace] | None = None) -> bool:
    """Whether a scenario asks for more rows than are ever kept."""
    return planned(scenario, traces) > MAX_CONNECTIONS


def no_rows(scenario: Scenario) -> Plan:
    """What stands in a run's folder in place of a plan that is not kept."""
    return Plan(
        columns={name: np.empty(0, dtype) for name, dtype in PLAN_COLUMNS.items()},
        service_ns=np.empty(0, SERVICE_COLUMNS["service_ns"]),
        duration_ns=scenario.duration_ns,
    )


def cannot_be_drawn(scenario: Scenario) -> list[str]:
    """What of a scenario's traffic cannot be drawn part by part, one reason each."""
    found = []
    if scenario.loop == "closed" or scenario.clients.retry is not None:
        found.append("connections wait for others (users, clients.retry)")
    for phase in scenario.traffic:
        if phase.arrivals is None or phase.arrivals.rate is None:
            found.append(f"traffic.{phase.name} has no rate")
        if phase.requests.constant not in (0, 1):
            found.append(f"traffic.{phase.name}.requests is not 0 or 1")
        if phase.think.mean_ns:
            found.append(f"traffic.{phase.name}.think is given")
    if scenario.clients.idle_timeout is not None:
        found.append("clients.idle_timeout is given")
    return found


def stream_plan(scenario: Scenario, rows: int = ROWS) -> Iterator[Rows]:
    """Draw a plan part by part, in order of its rows.

    Args:
        scenario: `cannot_be_drawn` found nothing in it.
        rows: at most so many at a time; no result depends on it.
    """
    first = begins_ns = 0
    for index, phase in enumerate(scenario.traffic):
        seed, name = scenario.seed, phase.name
        lives, serves = (generator(seed, what, name) for what in ("lifetime", "service"))
        requests = phase.requests.constant or 0
        for due in _due(scenario, phase, rows):
            count = len(due)
            service = np.zeros(1, dtype=np.int64)
            if requests:
                service = _drawn(scenario.backends.service_time, count, serves)
            yield Rows(
                first=first,
                phase=index,
                requests=requests,
                due_ns=due + begins_ns,
                lifetime_ns=_drawn(phase.lifetime, count, lives),
                service_ns=service,
            )
            first += count
        begins_ns += phase.for_ns


def _drawn(duration: Duration, count: int, stream: np.random.Generator) -> Times:
    """So many times, or one where all are alike."""
    return draw_ns(duration, 1 if duration.constant is not None else count, stream)


def _due(scenario: Scenario, phase: Phase, rows: int) -> Iterator[Times]:
    """Due times of a phase, ns since it began."""
    assert phase.arrivals is not None, "cannot_be_drawn asks for arrivals"
    rate = phase.arrivals.rate
    assert rate is not None, "cannot_be_drawn asks for a rate"
    expected = total(rate, phase.for_ns)
    points = even_points(expected, rows)
    if phase.arrivals.constant is None:
        points = poisson_points(expected, generator(scenario.seed, "arrivals", phase.name), rows)
    for counts in points:
        if len(counts):
            yield when(rate, counts, phase.for_ns)
