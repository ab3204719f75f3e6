"""The plan: every connection a scenario asks for, drawn from its seed before anything runs.

Both engines run the same plan. Each consumer of randomness has a stream of its own, named for its
phase and purpose, so that a change to one phase or one distribution leaves all other draws alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.errors import Refused
from simulator.records import OPTIONAL_COLUMNS, PLAN_COLUMNS, SERVICE_COLUMNS
from simulator.scenario.phases import MAX_CONNECTIONS
from simulator.seeds import generator
from simulator.traffic.arrivals import even_counts, paced, poisson_counts
from simulator.traffic.lifetimes import draw_ns
from simulator.traffic.requests import draw_requests, keep_alive
from simulator.traffic.shapes import sum_words, total, when
from simulator.traffic.turns import (
    alone,
    closed_loop,
    in_order_of_due,
    most_turns,
    with_retries,
)
from simulator.units import NS_PER_S, format_count, format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario
    from simulator.scenario.trace_file import Trace

    Column = NDArray[Any]
    Times = NDArray[np.int64]
    Traces = Mapping[str, Trace]

MAX_REQUESTS: Final = 20_000_000
#: Values worked on at a time where an array of all requests would be needed twice.
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What is asked for, one row a connection in order of its due time.

    Attributes:
        columns: PLAN_COLUMNS, each of shape (connections,), read-only.
        service_ns: time the backend takes for each request, shape (requests,), ns, read-only;
            the requests of row ``i`` begin at ``columns["first_service"][i]``.
        duration_ns: length of all phases together, ns.
        extra: those of OPTIONAL_COLUMNS that the scenario needs, read-only.
    """

    columns: Mapping[str, Column]
    service_ns: Times
    duration_ns: int
    extra: Mapping[str, Column] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, Column]:
        """Every column by the name of its file."""
        return {**self.columns, "service_ns": self.service_ns, **self.extra}

    @property
    def connections(self) -> int:
        """Number of planned connections."""
        return len(self.columns["due_ns"])

    @property
    def requests(self) -> int:
        """Number of planned requests."""
        return len(self.service_ns)

    @property
    def asked_per_s(self) -> float:
        """Connections per second over the whole plan."""
        return self.connections * NS_PER_S / self.duration_ns

    @property
    def digest(self) -> str:
        """SHA-256 over names, types and bytes of all columns in order, ``service_ns`` included."""
        digest = hashlib.sha256()
        files = self.files
        for name, dtype in {**PLAN_COLUMNS, **SERVICE_COLUMNS, **OPTIONAL_COLUMNS}.items():
            if name not in files:
                continue
            column = files[name]
            digest.update(f"{name} {dtype} {len(column)}\n".encode())
            digest.update(np.ascontiguousarray(column, dtype=dtype).data)
        return digest.hexdigest()

    def without_retries(self) -> Plan:
        """What is asked on an ideal network: no attempt fails, so that none follows."""
        if "attempt" not in self.extra or not self.extra["attempt"].any():
            return self
        first = self.extra["attempt"] == 0
        columns = {name: column[first] for name, column in self.columns.items()}
        extra = {name: self.extra[name] for name in ("think_ns",) if name in self.extra}
        if "linger_ns" in self.extra:
            extra["linger_ns"] = self.extra["linger_ns"][first]
        return replace(self, columns=columns, extra=extra)

    def answered_ns(self) -> Times:
        """When each connection's last answer is due at the earliest, ns after its connect.

        Requests go out evenly over the lifetime, each when the one before is answered at the
        earliest: with ``g`` between them the last answer comes at the largest of ``i g`` plus the
        service times from the i-th on (Lindley's recursion written out). Shape (connections,).
        A client that thinks has no lifetime, and its pauses count like service.

        Source: Lindley, The theory of queues with a single server (1952), equation 1.
        """
        requests = self.columns["requests"]
        lifetimes = self.columns["lifetime_ns"]
        first = self.columns["first_service"]
        answered = np.zeros(self.connections, dtype=np.int64)
        thinks = self.extra.get("think_ns")
        busy = self.service_ns if thinks is None else self.service_ns + thinks
        for number in np.unique(requests[requests > 0]):
            rows = np.flatnonzero(requests == number)
            steps = np.arange(number, dtype=np.int64)
            for block in np.array_split(rows, -(-len(rows) * int(number) // _BLOCK)):
                service = busy[first[block][:, None] + steps]
                left = np.cumsum(service[:, ::-1], axis=1)[:, ::-1]
                begins = lifetimes[block][:, None] * steps // number
                answered[block] = (begins + left).max(axis=1)
        return answered

    def held_ns(self) -> Times:
        """How long each connection is open on an ideal network when its client ends it, ns."""
        ends = self.answered_ns() + self.extra.get("linger_ns", 0)
        longest: Times = np.maximum(self.columns["lifetime_ns"], ends)
        return longest

    def peak_concurrent(self, extra_ns: int = 0) -> int:
        """Most connections open at once on an ideal network.

        Args:
            extra_ns: time for which each holds on after its end, ns, such as a TIME_WAIT.
        """
        return peak_overlap(self.columns["due_ns"], self.held_ns() + extra_ns)


def overlap_at(starts: Times, lengths: Times) -> Times:
    """How many intervals ``[start, start + length)`` hold at each start, itself included.

    Args:
        starts: shape (n,), ascending.
        lengths: shape (n,); an interval of no length counts at its own start.

    Returns:
        Counts, shape (n,), each at least 1. O(n log n).
    """
    ends = np.sort(starts + np.maximum(lengths, 1))
    gone = np.searchsorted(ends, starts, side="right")
    return np.arange(1, len(starts) + 1) - gone


def peak_overlap(starts: Times, lengths: Times) -> int:
    """Most intervals that hold at once; 0 when there are none."""
    return int(overlap_at(starts, lengths).max(initial=0))


def make_plan(scenario: Scenario, traces: Traces | None = None) -> Plan:
    """Draw the plan of a scenario; same scenario, traces and seed, same bytes.

    Args:
        scenario: what is asked.
        traces: the trace files that it names, as read with its own file.

    Raises:
        Refused: it would hold more connections or requests than a plan may; nothing was
            allocated yet.
    """
    traces = traces or {}
    _refuse_too_large(scenario, traces)
    parts: list[dict[str, Column]] = []
    begins_ns = requests = rows = 0
    for index, phase in enumerate(scenario.traffic):
        part = _phase_columns(scenario, phase, traces)
        part["after"] = np.where(part["after"] >= 0, part["after"] + rows, -1)
        part["due_ns"] = part["due_ns"] + begins_ns
        part["first_service"] = part["first_service"] + requests
        part["phase"] = np.full(len(part["due_ns"]), index)
        parts.append(part)
        begins_ns += phase.for_ns
        requests += len(part["service_ns"])
        rows += len(part["due_ns"])
    extra = _extra_columns(scenario)
    wanted = {**PLAN_COLUMNS, **SERVICE_COLUMNS, **extra}
    columns = {name: np.concatenate([part[name] for part in parts]) for name in wanted}
    if "after" in extra:
        columns = in_order_of_due(columns)
    columns = {name: columns[name].astype(dtype) for name, dtype in wanted.items()}
    for column in columns.values():
        column.setflags(write=False)
    return Plan(
        columns={name: columns[name] for name in PLAN_COLUMNS},
        service_ns=columns["service_ns"],
        duration_ns=scenario.duration_ns,
        extra={name: columns[name] for name in extra},
    )


def _extra_columns(scenario: Scenario) -> dict[str, str]:
    """Which of OPTIONAL_COLUMNS a scenario needs."""
    thinks = any(phase.think.mean_ns for phase in scenario.traffic)
    waits = scenario.loop == "closed" or scenario.clients.retry is not None
    needs = {"think_ns": thinks, "linger_ns": scenario.clients.idle_timeout is not None}
    return {name: dtype for name, dtype in OPTIONAL_COLUMNS.items() if needs.get(name, waits)}


def _phase_columns(scenario: Scenario, phase: Phase, traces: Traces) -> dict[str, Column]:
    """The columns of one phase alone, with moments since it began."""
    if phase.users is not None:
        return closed_loop(
            scenario,
            phase,
            MAX_CONNECTIONS,
            lambda count, turn: _drawn(scenario, phase, None, np.zeros(count, np.int64), turn),
            lambda columns: _least_held_ns(scenario, columns),
        )
    trace = _trace(phase, traces)
    due = _due(scenario.seed, phase, trace)
    columns = _drawn(scenario, phase, trace, due) | alone(len(due))
    retry = scenario.clients.retry
    return with_retries(columns, retry, scenario.seed, phase.name) if retry else columns


def _least_held_ns(scenario: Scenario, columns: dict[str, Column]) -> Times:
    """How long each connection is open at the least, whoever closes it."""
    plan = Plan(
        columns=columns,
        service_ns=columns["service_ns"],
        duration_ns=1,
        extra={name: columns[name] for name in ("think_ns", "linger_ns")},
    )
    client_ends = scenario.balancer.close in ("client", "reset")
    return plan.held_ns() if client_ends else plan.answered_ns()


def _drawn(
    scenario: Scenario, phase: Phase, trace: Trace | None, due: Times, turn: int = 0
) -> dict[str, Column]:
    """What the connections of a phase carry; each turn of a closed loop draws anew."""
    seed, name = scenario.seed, f"{phase.name}" if not turn else f"{phase.name}/{turn}"
    count = len(due)
    requests = draw_requests(phase.requests, count, generator(seed, "requests", name))
    first = np.cumsum(requests) - requests
    total_requests = int(requests.sum())
    stream = generator(seed, "service", name)
    think = draw_ns(phase.think, total_requests, generator(seed, "think", name))
    think[first[requests > 0]] = 0  # nothing was answered before a connection's first request
    service = draw_ns(scenario.backends.service_time, total_requests, stream)
    kept = keep_alive(requests, think, scenario.clients.idle_timeout)
    requests, think, service = kept.requests, think[kept.is_sent], service[kept.is_sent]
    given = trace.request_bytes if trace is not None else None
    taken = trace.response_bytes if trace is not None else None
    if scenario.backends.kind == "echo":
        taken = given  # what comes back is what was sent
    return {
        "due_ns": due,
        "lifetime_ns": _lifetimes(seed, phase, trace, due, name),
        "requests": requests,
        "request_bytes": np.full(count, phase.request_size) if given is None else np.array(given),
        "response_bytes": np.full(count, phase.response_size) if taken is None else np.array(taken),
        "first_service": np.cumsum(requests) - requests,
        "service_ns": service,
        "think_ns": think,
        "linger_ns": kept.linger_ns,
    }


def _trace(phase: Phase, traces: Traces) -> Trace | None:
    """The trace of a phase, None when it has none.

    Raises:
        Refused: it was not read.
    """
    name = phase.arrivals.trace if phase.arrivals is not None else None
    if name is None:
        return None
    if name not in traces:
        raise Refused(f"The trace {name} was not read: it is found beside a scenario's own file.")
    return traces[name]


def _lifetimes(seed: int, phase: Phase, trace: Trace | None, due: Times, name: str) -> Times:
    if phase.hold is not None:
        return phase.for_ns - due
    if trace is not None and trace.lifetime_ns is not None:
        return np.array(trace.lifetime_ns, dtype=np.int64)
    return draw_ns(phase.lifetime, len(due), generator(seed, "lifetime", name))


def _due(seed: int, phase: Phase, trace: Trace | None) -> Times:
    """Due times of one phase, ns since it began."""
    if phase.hold is not None:
        return paced(phase.hold.connections, phase.hold.rate, phase.hold.ramp)
    if trace is not None:
        return np.array(trace.due_ns, dtype=np.int64)
    rate = phase.arrivals.rate if phase.arrivals is not None else None
    assert phase.arrivals is not None, "a phase has arrivals or hold"
    assert rate is not None, "arrivals have a rate or a trace"
    expected = total(rate, phase.for_ns)
    if phase.arrivals.constant is not None:
        return when(rate, even_counts(expected), phase.for_ns)
    stream = generator(seed, "arrivals", phase.name)
    return when(rate, poisson_counts(expected, stream), phase.for_ns)


def expected_connections(phase: Phase, traces: Traces) -> float:
    """Connections that a phase asks for on average, retries left out."""
    if phase.users is not None:
        return most_turns(phase.users, phase.for_ns, phase.think.mean_ns)
    if phase.hold is not None:
        return float(phase.hold.connections)
    trace = _trace(phase, traces)
    if trace is not None:
        return float(len(trace.due_ns))
    rate = phase.arrivals.rate if phase.arrivals is not None else None
    assert rate is not None, "a phase has arrivals or hold"
    return total(rate, phase.for_ns)


def _arithmetic(phase: Phase, traces: Traces) -> str:
    """How many connections a phase asks for, as a sum that can be followed."""
    count = format_count(expected_connections(phase, traces))
    if phase.users is not None:
        every = f"every {format_ns(phase.users.think)}"
        return f"{phase.name}: {format_count(phase.users.count)} users {every} = {count} at most"
    if phase.hold is not None or phase.arrivals is None:
        return f"{phase.name}: {count} held"
    rate = phase.arrivals.rate
    if rate is None:
        return f"{phase.name}: {count} lines of {phase.arrivals.trace}"
    return f"{phase.name}: {sum_words(rate, phase.for_ns)} = {count}"


def _refuse_too_large(scenario: Scenario, traces: Traces) -> None:
    counts = [expected_connections(phase, traces) for phase in scenario.traffic]
    attempts = scenario.clients.retry.attempts if scenario.clients.retry else 1
    if scenario.loop == "closed":
        return  # counted exactly as it is drawn, and refused there
    if sum(counts) * attempts > MAX_CONNECTIONS:
        sums = "\n".join(f"  {_arithmetic(phase, traces)}" for phase in scenario.traffic)
        raise Refused(
            f"The plan asks for {format_count(sum(counts) * attempts)} connections"
            f"{f', each tried {attempts} times' if attempts > 1 else ''}; "
            f"{format_count(MAX_CONNECTIONS)} are the most.\n{sums}\n"
            "Lower the rates, or shorten the phases; `portchurn predict` draws no plan."
        )
    means = [phase.requests.mean for phase in scenario.traffic]
    requests = sum(count * mean for count, mean in zip(counts, means, strict=True))
    if requests > MAX_REQUESTS:
        sums = "\n".join(
            f"  {_arithmetic(phase, traces)} connections x {mean:g} requests"
            for phase, mean in zip(scenario.traffic, means, strict=True)
        )
        raise Refused(
            f"The plan asks for {format_count(requests)} requests; "
            f"{format_count(MAX_REQUESTS)} are the most.\n{sums}\n"
            "Lower the rates or the requests, or shorten the phases."
        )
