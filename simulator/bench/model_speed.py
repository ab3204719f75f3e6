"""How fast the model goes: one loss system by arrays, by events, and by SimPy if it is there.

All three are given the same arrivals: Poisson at 2,500 a second for 1,000 tuples that are each held
for 500 ms, so that a fifth is lost. Who is served is compared too, since speed at another task
would say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.clock import monotonic_ns
from simulator.model.plain import course, fate
from simulator.model.world import World
from simulator.records import Outcome
from simulator.scenario.schema import Scenario
from simulator.traffic.plan import make_plan
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Served = NDArray[np.bool_]
    Plan = Mapping[str, NDArray[Any]]

TUPLES: Final = 1_000
HOLD_MS: Final = 500
RATE_PER_S: Final = 2_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One way through the loss system.

    Attributes:
        name: ``arrays``, ``events`` or ``simpy``.
        connections: how many came.
        seconds: of real time, s.
        lost: share that found no tuple.
        same: share that met the same fate as by arrays.
    """

    name: str
    connections: int
    seconds: float
    lost: float
    same: float

    @property
    def per_s(self) -> float:
        """Connections a second of real time."""
        return self.connections / self.seconds if self.seconds else 0.0


def loss_system(connections: int) -> Scenario:
    """The scenario, for about so many connections."""
    seconds = max(1, connections // RATE_PER_S)
    phase = {"name": "steady", "for": f"{seconds}s", "arrivals": {"poisson": f"{RATE_PER_S}/s"}}
    ports = f"50000-{50_000 + TUPLES - 1}"
    return Scenario.model_validate(
        {
            "title": "loss system",
            "kernel": {"port_range": ports, "time_wait": f"{HOLD_MS}ms"},
            "backends": {"ports": "random", "range": "20000-29999"},
            "traffic": [phase],
        }
    )


def by_arrays(scenario: Scenario, plan: Plan) -> Served:
    """Who is served, by `model.stretches`."""
    found = course(scenario, plan)
    return fate(scenario, found, np.arange(50_000, 50_000 + TUPLES)).taken


def by_events(scenario: Scenario, plan: Plan) -> Served:
    """Who is served, by `model.world`: clients, relay and backends, and both hops."""
    world = World(scenario, plan, lambda _stream, _line: None)
    world.begin()
    world.run_until(scenario.duration_ns + scenario.grace)
    served: Served = np.array(world.records.outcome) == Outcome.OK
    return served


def by_simpy(scenario: Scenario, plan: Plan) -> Served:
    """Who is served, by a SimPy process for each connection that finds a tuple.

    Raises:
        ModuleNotFoundError: SimPy is not installed.
    """
    simpy = import_module("simpy")
    due = plan["due_ns"].tolist()
    hold_ns = scenario.kernel.time_wait
    served = np.zeros(len(due), dtype=np.bool_)
    world = simpy.Environment()
    tuples = simpy.Resource(world, capacity=TUPLES)

    def hold() -> Iterator[object]:
        with tuples.request() as mine:
            yield mine
            yield world.timeout(hold_ns)

    def come() -> Iterator[object]:
        for row, due_ns in enumerate(due):
            if due_ns > world.now:
                yield world.timeout(due_ns - world.now)
            if tuples.count < TUPLES:
                served[row] = True
                world.process(hold())

    world.process(come())
    world.run()
    return served


def measure(connections: int, slow_connections: int) -> list[Speed]:
    """Time every way there is; the slow ones with fewer connections.

    Args:
        connections: about how many for arrays.
        slow_connections: about how many for events and SimPy.
    """
    ways: list[tuple[str, Callable[[Scenario, Plan], Served], int]] = [
        ("arrays", by_arrays, connections),
        ("events", by_events, slow_connections),
        ("simpy", by_simpy, slow_connections),
    ]
    found = []
    for name, way, count in ways:
        scenario = loss_system(count)
        plan = make_plan(scenario).files
        begin_ns = monotonic_ns()
        try:
            served = way(scenario, plan)
        except ModuleNotFoundError:
            continue
        seconds = (monotonic_ns() - begin_ns) / NS_PER_S
        same = float(np.mean(served == by_arrays(scenario, plan)))
        lost = 1 - float(served.mean())
        speed = Speed(name=name, connections=len(served), seconds=seconds, lost=lost, same=same)
        found.append(speed)
    return found


def table(found: list[Speed]) -> str:
    """One line for each way, with its ratio to the last one."""
    lines = ["way      connections    seconds    a second    against    lost     same fate"]
    base = found[-1].per_s
    lines += [
        f"{one.name:<8} {one.connections:>11,} {one.seconds:>10.3f} {one.per_s:>11,.0f} "
        f"{one.per_s / base:>9.1f}x {100 * one.lost:>7.2f}% {100 * one.same:>9.3f}%"
        for one in found
    ]
    return "\n".join([*lines, f"against: {found[-1].name}"])
