"""Which runs are plain enough for arrays, and what becomes of their connections.

Plain is a run in which nothing but tuples can run out, and only on the hop toward the backends:
nobody moves, hangs or fails, nobody tries again, nobody waits for a slot, and who is dialed next
does not depend on what happened before. Everything else goes event by event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.model.stretches import FOR_EVER, NOBODY, serve, stretches_needed
from simulator.preflight.hops import blocked_ns, hop_budgets, hops_of, source_of, source_ports
from simulator.scenario.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.scenario.balancer import Balancer
    from simulator.scenario.schema import Scenario

    Times = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Plan = Mapping[str, NDArray[Any]]

#: More stretches than this are not worth their arrays.
_STRETCHES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is due, and how long each connection would last; arrays of shape (connections,).

    Attributes:
        due: when each is sent, ascending.
        answered: when its answer would be in.
        closed: when it would end.
        backend: which backend it is dialed to.
        source: from which address on the hop to the backends.
        group: its group of tuples.
        hold: how long it would hold its tuple.
    """

    due: Times
    answered: Times
    closed: Times
    backend: Times
    source: Times
    group: Times
    hold: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of each connection.

    Attributes:
        taken: whether it got a tuple, shape (connections,).
        before: who had that tuple before, NOBODY for a new one.
        port: the port that goes with it.
    """

    taken: Mask
    before: Times
    port: Times


def is_plain(scenario: Scenario, plan: Plan) -> bool:
    """Whether `course` and `fate` say all that there is to say of a run."""
    return (
        only_tuples_run_out(scenario)
        and len(plan["due_ns"]) > 0
        and _nobody_is_cut(scenario, plan)
        and _is_worth_it(scenario, plan)
    )


def only_tuples_run_out(scenario: Scenario) -> bool:
    """Whether a scenario is plain whatever its plan: nothing else fails, and all go in turn."""
    backends, balancer = scenario.backends, scenario.balancer
    nobody_moves = (
        backends.churn is None
        and backends.concurrency is None
        and backends.flapping is None
        and backends.stream is None
        and backends.faults == Faults()
        and not backends.refusing
        and backends.idle_timeout is None
    )
    one_by_one = (
        scenario.loop == "open"
        and scenario.clients.retry is None
        and balancer.retry_budget is None
        and not balancer.load_age
        and balancer.close in ("client", "balancer")
        and (balancer.policy.name == "round-robin" or backends.count == 1)
        and (backends.count == 1 or not balancer.retries or balancer.driver == "none")
    )
    return (
        scenario.nat is None
        and nobody_moves
        and one_by_one
        and balancer.policy.name != "peak-ewma"
        and scenario.sidecar is None
        and _nobody_is_looked_after(balancer)
        and _one_worker(scenario)
    )


def _nobody_is_looked_after(balancer: Balancer) -> bool:
    return (
        balancer.health_checks is None
        and balancer.ejection is None
        and balancer.cap is None
        and balancer.on_no_port == "refuse"
        and not balancer.slow_start
    )


def _one_worker(scenario: Scenario) -> bool:
    """Whether one process dials on the hop to the backends, and all its ports can be had."""
    hop = hops_of(scenario)[-1]
    source = source_of(scenario, hop)
    budget = hop_budgets(scenario)[-1]
    alone = (
        scenario.clients.processes == 1
        if scenario.balancer.driver == "none"
        else scenario.balancer.workers == 1 and scenario.clients.source.ports == "userspace"
    )
    in_order = source.rules is not None and source.rules.in_order
    if source.ports == "userspace" or in_order:
        return False  # which port comes next is told port by port there
    # Of an odd number of ports a walk in steps of two may miss one.
    walks = source.rules is None and source.ports in ("kernel", "late-bind", "early-bind")
    is_even = not walks or budget.budget % 2 == 0
    return alone and not budget.listening and not budget.reserved and is_even


def _nobody_is_cut(scenario: Scenario, plan: Plan) -> bool:
    """Whether no time-out can ever strike before a connection ends by itself."""
    if "think_ns" in plan or "linger_ns" in plan or int(plan["requests"].max()) > 1:
        return False
    service = int(plan["service_ns"].max(initial=0))
    longest = max(service, int(plan["lifetime_ns"].max()))
    has_balancer = scenario.balancer.driver != "none"
    if scenario.balancer.close == "balancer" and has_balancer:
        return service < scenario.clients.timeout and longest < scenario.balancer.idle_timeout
    idle_ns = scenario.balancer.idle_timeout if has_balancer else FOR_EVER
    return service < scenario.clients.timeout and longest < idle_ns


def _is_worth_it(scenario: Scenario, plan: Plan) -> bool:
    found = course(scenario, plan)
    if int(found.hold.min()) <= 0 or not _clients_have_ports(scenario, found):
        return False
    groups = len(np.unique(found.group))
    return groups * stretches_needed(scenario.duration_ns, found.hold) <= _STRETCHES


def course(scenario: Scenario, plan: Plan) -> Course:
    """How the connections of a plain run would go if all had tuples."""
    due = plan["due_ns"].astype(np.int64)
    count = len(due)
    asks = plan["requests"] > 0
    service = np.zeros(count, dtype=np.int64)
    service[asks] = plan["service_ns"][plan["first_service"][asks]]
    answered = due + service
    closed = np.maximum(answered, due + plan["lifetime_ns"])
    if scenario.balancer.close == "balancer":
        closed = np.maximum(closed, answered + scenario.balancer.idle_timeout)
    source = source_of(scenario, hops_of(scenario)[-1])
    backend, near, group = dialed_in_turn(scenario, np.arange(count, dtype=np.int64))
    blocked = blocked_ns(scenario, source)
    hold = np.full(count, FOR_EVER) if blocked is None else closed - due + blocked
    return Course(
        due=due,
        answered=answered,
        closed=closed,
        backend=backend,
        source=near,
        group=group,
        hold=hold,
    )


def dialed_in_turn(scenario: Scenario, order: Times) -> tuple[Times, Times, Times]:
    """Backend, source address and group of each connection, by its place in the plan."""
    source = source_of(scenario, hops_of(scenario)[-1])
    backends, addresses = scenario.backends.count, source.addresses
    backend = order % backends
    # Each destination's turn of addresses begins at another one.
    near = (backend + order // backends) % addresses
    if source.ports == "permanent":
        near = order % addresses
    per_address = source.ports in ("early-bind", "permanent")
    return backend, near, near if per_address else near * backends + backend


def fate(scenario: Scenario, found: Course, order: NDArray[Any]) -> Fate:
    """Who gets a tuple, group by group.

    Args:
        scenario: whose.
        found: its course.
        order: ports in the order in which new ones are handed out.
    """
    count = len(found.due)
    taken: Mask = np.zeros(count, dtype=np.bool_)
    before: Times = np.full(count, NOBODY, dtype=np.int64)
    port: Times = np.zeros(count, dtype=np.int64)
    by_group = np.argsort(found.group, kind="stable")
    edges = np.flatnonzero(np.diff(found.group[by_group])) + 1
    for rows in np.split(by_group, edges):
        served = serve(found.due[rows], found.hold[rows], len(order))
        got = rows[served.taken]
        heirs = served.before[served.taken]
        taken[got] = True
        inherits = heirs != NOBODY
        before[got[inherits]] = rows[heirs[inherits]]
        port[got] = _ports(heirs, served.taken, order)
    return Fate(taken=taken, before=before, port=port)


def _ports(heirs: Times, taken: Mask, order: NDArray[Any]) -> Times:
    """The port of each who got one, shape (taken,): a new one, or that of whom they follow."""
    place = np.cumsum(taken) - 1  # of each row among those who got one
    ports: Times = np.zeros(len(heirs), dtype=np.int64)
    new = heirs == NOBODY
    ports[new] = order[: int(np.count_nonzero(new))]
    # Who follows whom is a forest whose chains are walked together, halving their length each time.
    above = np.where(new, np.arange(len(heirs)), place[np.maximum(heirs, 0)])
    while True:
        further = above[above]
        if np.array_equal(further, above):
            break
        above = further
    found: Times = ports[above]
    return found


def client_ports(scenario: Scenario, found: Course) -> tuple[Times, Times, int]:
    """Address and port of each client before a balancer, and after how many they come round.

    Addresses take turns; ports of a list are handed out one after the other, which is what a list
    does whose ports come back long before it is through.
    """
    source = scenario.clients.source
    processes, addresses = scenario.clients.processes, source.addresses
    ports = source_ports(scenario, source)
    slices = [ports.slice(at, processes) for at in range(processes)]
    least = min(len(one) for one in slices)
    row = np.arange(len(found.due), dtype=np.int64)
    turn = row // processes
    firsts = np.array([one.first for one in slices], dtype=np.int64)
    port = firsts[row % processes] + (turn // addresses) % least
    return turn % addresses, port, processes * addresses * least


def _clients_have_ports(scenario: Scenario, found: Course) -> bool:
    """Whether every port of the clients is free again when it comes round."""
    if scenario.balancer.driver == "none":
        return True
    _, _, period = client_ports(scenario, found)
    return bool(np.all(found.closed[:-period] < found.due[period:])) if period else False
