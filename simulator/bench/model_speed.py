"""How fast the model goes: one loss system by all its ways, and by simulators of others.

All are given the same arrivals: Poisson at 2,500 a second for 1,000 tuples that are each held for
500 ms, so that a fifth is lost. Who is served is compared too, since speed at another task would
say nothing. The *core* decides on arrivals that stand in memory, which is all that others do; *end
to end* is from the scenario to its counts, drawing and counting included. Seconds are of CPU: all
of them use one core, and what the machine does beside is not theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from statistics import median
from time import process_time_ns
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.model.plain import course, fate
from simulator.model.stream_calendar import FatesInTurn, fast_loops
from simulator.model.stream_fates import FatesByArrays
from simulator.model.stream_run import StreamRun
from simulator.model.world import World
from simulator.records import Outcome
from simulator.scenario.schema import Scenario
from simulator.traffic.plan import make_plan
from simulator.traffic.stream import ROWS, stream_plan
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from simulator.model.stream_fates import Fates, Mask, Times

TUPLES: Final = 1_000
HOLD_MS: Final = 500
RATE_PER_S: Final = 2_500
_HOLD: Final = np.array([HOLD_MS * 1_000_000], dtype=np.int64)
_HOUR_S: Final = 3_600


@dataclass(frozen=True, slots=True)
class Task:
    """What each way is given.

    Attributes:
        scenario: of `loss_system`.
        due: its arrivals, ns, shape (connections,).
        plan: its columns, for those who need rows.
    """

    scenario: Scenario
    due: Times
    plan: Mapping[str, NDArray[Any]]


class MissingError(Exception):
    """Somebody's simulator, or the compiler, is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One way through the loss system.

    Attributes:
        name: see WAYS.
        connections: how many came.
        core_s: CPU to decide on arrivals in memory, s.
        whole_s: CPU from the scenario to its counts, s.
        lost: share that found no tuple.
        same: share that met the same fate as by numpy.
    """

    name: str
    connections: int
    core_s: float
    whole_s: float
    lost: float
    same: float

    @property
    def core_per_s(self) -> float:
        """Connections a second of a core, arrivals given."""
        return self.connections / self.core_s if self.core_s else 0.0

    @property
    def whole_per_s(self) -> float:
        """Connections a second of a core, drawing and counting included."""
        return self.connections / self.whole_s if self.whole_s else 0.0


def loss_system(connections: int) -> Scenario:
    """The scenario, for about so many connections, in phases of an hour at most."""
    seconds = max(1, connections // RATE_PER_S)
    lengths = [min(_HOUR_S, seconds - at) for at in range(0, seconds, _HOUR_S)]
    rate = {"poisson": f"{RATE_PER_S}/s"}
    phases = [
        {"name": f"part {at}", "for": f"{length}s", "arrivals": rate}
        for at, length in enumerate(lengths)
    ]
    ports = f"50000-{50_000 + TUPLES - 1}"
    return Scenario.model_validate(
        {
            "title": "loss system",
            "kernel": {"port_range": ports, "time_wait": f"{HOLD_MS}ms"},
            "backends": {"ports": "permanent"},
            "balancer": {"driver": "none", "close": "client"},
            "clients": {"source": {"addresses": 1, "ports": "kernel"}},
            "sampling": {"every": "1s"},
            "traffic": phases,
        }
    )


def _in_parts(fates: Fates, due: Times) -> Mask:
    """Who is served, parts at a time as in a run."""
    edges = range(0, len(due), ROWS)
    return np.concatenate([fates.take(due[at : at + ROWS], _HOLD, at) for at in edges])


def by_numpy(task: Task) -> Mask:
    """Who is served, by `model.stream_fates`."""
    return _in_parts(FatesByArrays(np.zeros(1, dtype=np.int64), TUPLES), task.due)


def by_jit(task: Task) -> Mask:
    """Who is served, by the compiled loop of `model.stream_loops`.

    Raises:
        MissingError: numba is not installed.
    """
    loops = fast_loops()
    if loops is None:
        raise MissingError("numba")
    turn = np.zeros(1, dtype=np.int64)
    return _in_parts(FatesInTurn(turn, TUPLES, loop=loops.take_in_turn), task.due)


def by_arrays(task: Task) -> Mask:
    """Who is served, and at which port, by `model.stretches`."""
    found = course(task.scenario, task.plan)
    return fate(task.scenario, found, np.arange(50_000, 50_000 + TUPLES)).taken


def by_events(task: Task) -> Mask:
    """Who is served, by `model.world`, with a row for each connection."""
    world = World(task.scenario, task.plan, lambda _stream, _line: None)
    world.begin()
    world.run_until(task.scenario.duration_ns + task.scenario.grace)
    served: Mask = np.array(world.records.outcome) == Outcome.OK
    return served


def _somebodys(name: str) -> Any:  # noqa: ANN401 - a module without types
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise MissingError(name) from None


def by_simpy(task: Task) -> Mask:
    """Who is served, by a SimPy process for each connection that finds a tuple.

    Raises:
        MissingError: SimPy is not installed.
    """
    simpy = _somebodys("simpy")
    served = np.zeros(len(task.due), dtype=np.bool_)
    world = simpy.Environment()
    tuples = simpy.Resource(world, capacity=TUPLES)

    def hold() -> Iterator[object]:
        with tuples.request() as mine:
            yield mine
            yield world.timeout(int(_HOLD[0]))

    def come() -> Iterator[object]:
        for row, due_ns in enumerate(task.due.tolist()):
            if due_ns > world.now:
                yield world.timeout(due_ns - world.now)
            if tuples.count < TUPLES:
                served[row] = True
                world.process(hold())

    world.process(come())
    world.run()
    return served


def by_ciw(task: Task) -> Mask:
    """Who is served, by a Ciw node of so many servers where nobody may wait.

    Raises:
        MissingError: Ciw is not installed.
    """
    ciw = _somebodys("ciw")
    gaps = np.diff(task.due, prepend=0) / NS_PER_S
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps.tolist(), float("inf")])],
        service_distributions=[ciw.dists.Deterministic(HOLD_MS / 1000)],
        number_of_servers=[TUPLES],
        queue_capacities=[0],
    )
    world = ciw.Simulation(network)
    world.simulate_until_max_time(float(task.due[-1]) / NS_PER_S + 1)
    served = np.zeros(len(task.due), dtype=np.bool_)
    for one in world.get_all_records():
        served[one.id_number - 1] = one.record_type == "service"
    return served


#: Every way, what it is, and its part of the connections: slow ones get few.
WAYS: Final[dict[str, tuple[Callable[[Task], Mask], float]]] = {
    "numpy": (by_numpy, 1),
    "jit": (by_jit, 1),
    "arrays": (by_arrays, 0.1),
    "events": (by_events, 0.01),
    "simpy": (by_simpy, 0.01),
    "ciw": (by_ciw, 0.001),
}
#: The ways of a run in parts, which keeps no rows.
_STREAMED: Final = ("numpy", "jit")


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin_ns = process_time_ns()
    found = work()
    return found, (process_time_ns() - begin_ns) / NS_PER_S


def _task(name: str, connections: int) -> Task:
    """Arrivals in memory."""
    scenario = loss_system(connections)
    if name in _STREAMED:
        due = np.concatenate([rows.due_ns for rows in stream_plan(scenario)])
        return Task(scenario, due, {})
    plan = make_plan(scenario).files
    return Task(scenario, plan["due_ns"], plan)


def _whole(name: str, connections: int) -> None:
    """From the scenario to its counts."""
    if name not in _STREAMED:
        np.count_nonzero(WAYS[name][0](_task(name, connections)))
        return
    run = StreamRun(loss_system(connections), lambda _stream, _line: None, compiled=name == "jit")
    for _ in run.parts():
        pass
    run.finish()


def measure(connections: int, rounds: int = 1) -> list[Speed]:
    """Time every way there is, the slow ones with fewer connections.

    Args:
        connections: about how many for the fastest.
        rounds: so often, for medians.
    """
    found = []
    for name, (way, part) in WAYS.items():
        try:
            way(_task(name, RATE_PER_S))  # compiled, imported and read from disk before any clock
        except MissingError:
            continue
        task = _task(name, int(connections * part))
        cores = [_timed(lambda: way(task)) for _ in range(rounds)]  # noqa: B023 - called at once
        wholes = [
            _timed(lambda: _whole(name, int(connections * part)))  # noqa: B023
            for _ in range(rounds)
        ]
        served = cores[0][0]
        speed = Speed(
            name=name,
            connections=len(served),
            core_s=median(seconds for _, seconds in cores),
            whole_s=median(seconds for _, seconds in wholes),
            lost=1 - float(served.mean()),
            same=float(np.mean(served == by_numpy(task))),
        )
        found.append(speed)
    return found


def table(found: list[Speed]) -> str:
    """One line for each way, with its ratio to SimPy, or to the last one where there is none."""
    lines = [
        "way      connections  core a second  end to end a second   against    lost  same fate"
    ]
    base = next((one for one in found if one.name == "simpy"), found[-1])
    lines += [
        f"{one.name:<8} {one.connections:>11,} {one.core_per_s:>14,.0f} {one.whole_per_s:>20,.0f} "
        f"{one.core_per_s / base.core_per_s:>8,.1f}x {100 * one.lost:>6.2f}% "
        f"{100 * one.same:>9.3f}%"
        for one in found
    ]
    missing = [name for name in WAYS if name not in {one.name for one in found}]
    left_out = [f"not installed: {', '.join(missing)}"] if missing else []
    return "\n".join([*lines, f"against: the core of {base.name}", *left_out])
