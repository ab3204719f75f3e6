"""Descriptors, memory, disk, processes and time that a plan needs, against what a machine has.

The numbers for memory were measured on Linux 6.18, x86-64; they are a budget, not a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.errors import Refused
from simulator.kernel.limits import UNLIMITED
from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.preflight.compiled import compiled_bytes, compiled_refusals
from simulator.preflight.dns import dns_notes, pool_refusal
from simulator.preflight.drivers import driver_descriptors, driver_refusals, relay_processes
from simulator.preflight.hops import (
    Ceiling,
    ceilings,
    every_budget,
    hop_budgets,
    hops_of,
    open_ns,
    remarks,
    share,
    source_ports,
)
from simulator.preflight.http_cost import http_notes
from simulator.preflight.leaks import leak_notes, leaked_connections
from simulator.preflight.model_only import model_only
from simulator.records import (
    CONNECTION_COLUMNS,
    CUT_COLUMNS,
    DIAL_COLUMNS,
    PLAN_COLUMNS,
    QUESTION_COLUMNS,
    REFUSAL_COLUMNS,
    SERVICE_COLUMNS,
    Hop,
)
from simulator.scenario.schema import BINDS_A_PORT
from simulator.traffic.plan import peak_overlap
from simulator.units import NS_PER_S, format_bytes, format_count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.kernel.limits import Machine
    from simulator.ports.budget import HopBudget
    from simulator.scenario.balancer import Balancer
    from simulator.scenario.schema import Scenario
    from simulator.scenario.sidecar import Sidecar
    from simulator.scenario.source import Source
    from simulator.traffic.plan import Plan

#: Available memory gone for each held loopback connection, both ends.
CONNECTION_BYTES: Final = 6 * 1024
#: One TIME_WAIT socket with its share of the bind table.
TIME_WAIT_BYTES: Final = 512
#: What a Python role keeps for one open connection.
ROLE_CONNECTION_BYTES: Final = 1024
#: A role's process before its first connection.
ROLE_BYTES: Final = 48 << 20
CONDUCTOR_BYTES: Final = 128 << 20
#: Pipes, epoll, timers, standard streams and mapped columns of a role.
ROLE_DESCRIPTORS: Final = 64
#: One line of samples and one of roles, generously.
SAMPLE_BYTES: Final = 2_500
ROLE_LINE_BYTES: Final = 400
#: Time to start a crew and to put everything away.
OVERHEAD_NS: Final = 3 * NS_PER_S
#: Share of the available memory that a run may take.
MEMORY_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleNeed:
    """What the processes of one kind need.

    Attributes:
        role: ``client``, ``sidecar``, ``balancer``, ``backend``, ``forger`` or ``sampler``.
        processes: how many there are.
        descriptors: open files of the busiest one at its peak, if all ports could be had.
        limit: descriptor limit it will run with.
        is_chosen: whether the scenario sets that limit itself, which makes it an experiment.
        sentence: the sum in words.
    """

    role: str
    processes: int
    descriptors: int
    limit: int
    is_chosen: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a run creates, needs and hits; known before anything starts.

    Attributes:
        digest: SHA-256 of the plan.
        connections: planned connections.
        requests: planned requests.
        asked_peak_per_s: highest planned rate.
        peak_open: most connections open at once.
        seconds: how long the run takes, s.
        roles: descriptors by role.
        memory_bytes: memory at the peak.
        disk_bytes: size of the stored results.
        hops: tuple budget of each hop.
        ceilings: rate that each hop sustains, against what is asked.
        notes: what else a reader should know.
        refusals: why this machine cannot run it, each with the arithmetic; empty when it can.
    """

    digest: str
    connections: int
    requests: int
    asked_peak_per_s: float
    peak_open: int
    seconds: float
    roles: tuple[RoleNeed, ...]
    memory_bytes: int
    disk_bytes: int
    hops: tuple[HopBudget, ...]
    ceilings: tuple[Ceiling, ...]
    notes: tuple[str, ...]
    refusals: tuple[str, ...]

    def refuse(self) -> None:
        """Raise if this machine cannot run it.

        Raises:
            Refused: all reasons, each with its arithmetic.
        """
        if self.refusals:
            raise Refused(
                "Refused before starting:\n" + "\n".join(f"  {one}" for one in self.refusals)
            )


def examine(scenario: Scenario, plan: Plan, machine: Machine) -> Preflight:
    """Hold a plan against a machine; nothing is created."""
    ideal = plan.without_retries()
    opened = open_ns(scenario, ideal)
    peak_open = _users(scenario) or peak_overlap(ideal.columns["due_ns"], opened)
    limits = ceilings(scenario, ideal, opened)
    roles = tuple(_roles(scenario, ideal, peak_open, machine))
    memory = _memory_bytes(scenario, plan, peak_open, limits, roles)
    disk = _disk_bytes(scenario, plan, roles)
    refusals = [
        *_descriptor_refusals(roles, machine, has_pool=scenario.balancer.resolver is not None),
        *_machine_refusals(roles, machine, memory, disk),
        *_port_refusals(scenario),
        *driver_refusals(scenario),
        *(f"{one}: use --engine model" for one in model_only(scenario)),
        *compiled_refusals(scenario),
    ]
    return Preflight(
        digest=plan.digest,
        connections=plan.connections,
        requests=plan.requests,
        asked_peak_per_s=limits[0].asked_per_s,
        peak_open=peak_open,
        seconds=(plan.duration_ns + scenario.grace + OVERHEAD_NS) / NS_PER_S,
        roles=roles,
        memory_bytes=memory,
        disk_bytes=disk,
        hops=every_budget(scenario),
        ceilings=limits,
        notes=(
            *remarks(scenario),
            *_turn_notes(scenario, plan, ideal),
            *http_notes(scenario, ideal, limits[0].asked_per_s),
            *leak_notes(scenario, limits[len(hops_of(scenario)) - 1]),
            *dns_notes(scenario, plan),
        ),
        refusals=tuple(refusals),
    )


def _users(scenario: Scenario) -> int:
    """Users of a closed loop, all of whom may wait for an answer at once; 0 for an open loop."""
    return sum(phase.users.count for phase in scenario.traffic if phase.users is not None)


def _turn_notes(scenario: Scenario, plan: Plan, ideal: Plan) -> tuple[str, ...]:
    """What the rows of a plan mean where connections wait for others."""
    if scenario.loop == "closed":
        most = format_count(plan.connections)
        text = f"closed loop: its users can come to {most} connections at most, and to fewer"
        return (f"{text} the longer they wait for answers",)
    retries = plan.connections - ideal.connections
    if not retries:
        return ()
    text = f"up to {format_count(retries)} of {format_count(plan.connections)} connections are"
    return (f"{text} retries; rates, ports and descriptors are those of first attempts",)


def _roles(scenario: Scenario, plan: Plan, peak_open: int, machine: Machine) -> list[RoleNeed]:
    """Descriptors of each kind of process: one an open connection, two in a relay."""
    budgets = {budget.name: budget for budget in hop_budgets(scenario)}
    first = next(iter(budgets.values()))
    resolver = scenario.balancer.resolver
    open_client = min(peak_open, first.total)
    clients = scenario.clients
    needs = [
        _need(
            machine,
            "client",
            clients.processes,
            clients.descriptors,
            [
                ("open connections", share(open_client, clients.processes)),
                _kept(clients.source, plan, first, clients.processes),
            ],
        )
    ]
    open_backend = open_client
    toward = list(budgets.values())[-1]
    leaked = leaked_connections(scenario, plan.connections, toward.total)
    for role, relay, hop in _relays(scenario):
        second = budgets[hop.label]
        is_balancer = role == "balancer"
        processes = relay_processes(scenario) if is_balancer else relay.workers
        front = _uneven(open_backend, processes)
        open_backend = min(open_backend, second.total)
        onward = "connections to backends" if is_balancer else "connections to the balancer"
        if resolver is not None:
            pool = [("sockets of the pool", resolver.pool.size), ("socket for clients", 1)]
            needs.append(_need(machine, role, 1, relay.descriptors, pool))
            open_backend = 0  # servers have one socket for all questions
            continue
        parts = [
            ("accepted connections", front),
            (onward, min(front, second.total)),
            _kept(relay.source, plan, second, processes),
            ("both ends of leaked connections", 2 * _uneven(leaked, processes)),
            driver_descriptors(scenario) if is_balancer else ("", 0),
        ]
        needs.append(_need(machine, role, processes, relay.descriptors, parts))
    backends = scenario.backends
    processes = backends.processes
    parts = [
        ("listeners", max(1, share(backends.count, processes))),
        ("accepted connections", _uneven(open_backend, processes)),
        ("leaked connections", _uneven(leaked, processes)),
    ]
    needs.append(_need(machine, "backend", processes, backends.descriptors, parts))
    if resolver is not None and resolver.forger is not None:
        needs.append(_need(machine, "forger", 1, None, [("raw socket", 1)]))
    needs.append(_need(machine, "sampler", 1, None, []))
    return needs


def _relays(scenario: Scenario) -> list[tuple[str, Balancer | Sidecar, Hop]]:
    """The relays that a connection passes, in order: role, its part of the scenario, its hop."""
    if scenario.balancer.driver == "none":
        return []
    found: list[tuple[str, Balancer | Sidecar, Hop]] = []
    if scenario.sidecar is not None:
        found.append(("sidecar", scenario.sidecar, Hop.SIDECAR_BALANCER))
    return [*found, ("balancer", scenario.balancer, Hop.BALANCER_BACKEND)]


def _kept(source: Source, plan: Plan, budget: HopBudget, processes: int) -> tuple[str, int]:
    """Descriptors that `permanent` keeps for ever, beside those of open connections."""
    if source.ports != "permanent":
        return "", 0
    return "ports never given back", share(min(plan.connections, budget.total), processes)


def _uneven(total: int, parts: int) -> int:
    """The largest part when a hash spreads connections: its mean and four deviations."""
    if parts == 1:
        return total
    mean = total / parts
    return min(total, ceil(mean + 4 * sqrt(mean)))


def _need(
    machine: Machine,
    role: str,
    processes: int,
    chosen: int | None,
    parts: list[tuple[str, int]],
) -> RoleNeed:
    total = ROLE_DESCRIPTORS + sum(count for _, count in parts)
    words = [f"{format_count(count)} {what}" for what, count in parts if count]
    words.append(f"{ROLE_DESCRIPTORS} of its own")
    return RoleNeed(
        role=role,
        processes=processes,
        descriptors=total,
        limit=min(chosen or machine.descriptors_hard, machine.descriptors_hard),
        is_chosen=chosen is not None,
        sentence=f"{' + '.join(words)} = {format_count(total)} descriptors",
    )


def _memory_bytes(
    scenario: Scenario,
    plan: Plan,
    peak_open: int,
    limits: Iterable[Ceiling],
    roles: Iterable[RoleNeed],
) -> int:
    """Kernel memory of open and waiting connections, roles, and the mapped columns."""
    total = CONDUCTOR_BYTES + ledger_bytes(plan) + compiled_bytes(scenario)
    total += sum(role.processes for role in roles) * ROLE_BYTES
    # A TIME_WAIT socket stays in the kernel's table for 60 s even where it can be taken over.
    minute = np.full(plan.connections, KERNEL_TIME_WAIT_NS, dtype=np.int64)
    leaves_none = scenario.balancer.close == "reset"
    waiting = 0 if leaves_none else peak_overlap(plan.columns["due_ns"], minute)
    for limit in limits:
        held = min(peak_open, limit.tuples)
        total += held * (CONNECTION_BYTES + ROLE_CONNECTION_BYTES)
        total += waiting * TIME_WAIT_BYTES
    return total


def ledger_bytes(plan: Plan) -> int:
    """Size of the plan's columns and of the generator's records."""
    row = sum(np.dtype(kind).itemsize for kind in PLAN_COLUMNS.values())
    row += sum(np.dtype(kind).itemsize for kind in CONNECTION_COLUMNS.values())
    service = np.dtype(SERVICE_COLUMNS["service_ns"]).itemsize
    return plan.connections * row + plan.requests * service


def _disk_bytes(scenario: Scenario, plan: Plan, roles: Iterable[RoleNeed]) -> int:
    """Size of the stored results when every connect fails on every retry."""
    total = ledger_bytes(plan)
    if scenario.balancer.driver != "none":
        dial = sum(np.dtype(kind).itemsize for kind in DIAL_COLUMNS.values())
        refusal = sum(np.dtype(kind).itemsize for kind in REFUSAL_COLUMNS.values())
        total += plan.connections * (dial * (1 + scenario.balancer.retries) + refusal)
        if scenario.backends.kind == "dns":
            seen = sum(np.dtype(kind).itemsize for kind in QUESTION_COLUMNS.values())
            total += plan.connections * seen * (1 + scenario.balancer.retries)
        if scenario.sidecar is not None:
            cut = sum(np.dtype(kind).itemsize for kind in CUT_COLUMNS.values())
            total += plan.connections * (dial + max(refusal, cut))
    length_ns = plan.duration_ns + scenario.grace
    total += length_ns // scenario.sampling.every * SAMPLE_BYTES
    processes = sum(role.processes for role in roles)
    return int(total + 10 * length_ns // NS_PER_S * processes * ROLE_LINE_BYTES)


def _descriptor_refusals(
    roles: Iterable[RoleNeed], machine: Machine, *, has_pool: bool = False
) -> list[str]:
    found = []
    for role in roles:
        if role.is_chosen or role.descriptors <= role.limit:
            continue
        if role.role == "balancer" and has_pool:
            found.append(pool_refusal(role.sentence, machine.descriptors_hard))
            continue
        processes = _processes_for(role, machine.descriptors_hard - ROLE_DESCRIPTORS)
        key = {"client": "clients.processes", "balancer": "balancer.workers"}.get(
            role.role, "sidecar.workers" if role.role == "sidecar" else "backends.processes"
        )
        found.append(
            f"{role.role}: {role.sentence} in one process, but the hard limit is "
            f"{format_count(machine.descriptors_hard)}; set {key}: {processes}, "
            "or raise the limit (ulimit -Hn)"
        )
    return found


def _processes_for(role: RoleNeed, spare: int) -> int:
    """Processes among which a role's descriptors would fit, ``spare`` in each."""
    total = (role.descriptors - ROLE_DESCRIPTORS) * role.processes
    deviations = 0 if role.role == "client" else 8  # a hash spreads the others' unevenly
    processes = role.processes + 1
    while total / processes + deviations * sqrt(total / processes) > max(spare, 128):
        processes += 1
    return processes


def _machine_refusals(
    roles: tuple[RoleNeed, ...], machine: Machine, memory: int, disk: int
) -> list[str]:
    found = []
    files = sum(role.descriptors * role.processes for role in roles)
    spare = machine.files_max - machine.files_open
    if files > spare and machine.files_max < UNLIMITED:
        found.append(
            f"all roles together: {format_count(files)} open files, but fs.file-max leaves "
            f"{format_count(machine.files_max)} - {format_count(machine.files_open)} = "
            f"{format_count(spare)}"
        )
    room = int(machine.memory_available_bytes * MEMORY_SHARE)
    if memory > room and machine.memory_available_bytes < UNLIMITED:
        found.append(
            f"memory: {format_bytes(memory)}, but {MEMORY_SHARE:.0%} of the available "
            f"{format_bytes(machine.memory_available_bytes)} is {format_bytes(room)}"
        )
    if disk > machine.disk_free_bytes:
        found.append(
            f"disk: up to {format_bytes(disk)} of results, but "
            f"{format_bytes(machine.disk_free_bytes)} are free"
        )
    processes = 2 + sum(role.processes for role in roles)
    if processes > machine.processes_max:
        found.append(
            f"processes: {processes}, but {format_count(machine.processes_max)} are the most"
        )
    return found


def _port_refusals(scenario: Scenario) -> list[str]:
    """Ranges that cannot be divided, and listeners that would find no port."""
    found = []
    sides: list[tuple[str, Source, int]] = [
        ("clients", scenario.clients.source, scenario.clients.processes)
    ]
    sides += [(role, relay.source, relay.workers) for role, relay, _ in _relays(scenario)]
    for name, source, processes in sides:
        ports = source_ports(scenario, source)
        if source.ports in BINDS_A_PORT and len(ports) < processes:
            found.append(
                f"{name}: {len(ports)} ports of {ports} cannot be divided among {processes} "
                "processes; widen the range or run fewer"
            )
    backends = scenario.backends
    if backends.ports == "kernel":
        ports = scenario.kernel.port_range
        room = len(ports) * backends.addresses
        if backends.count > room:
            found.append(
                f"backends: {format_count(backends.count)} listeners, but {len(ports)} ports of "
                f"{ports} x {backends.addresses} addresses = {format_count(room)}"
            )
    return found
