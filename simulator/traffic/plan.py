"""The plan: every connection a scenario asks for, drawn from its seed before anything runs.

Both engines run the same plan. Each consumer of randomness has a stream of its own, named for its
phase and purpose, so that a change to one phase or one distribution leaves all other draws alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.errors import Refused
from simulator.records import PLAN_COLUMNS, SERVICE_COLUMNS
from simulator.scenario.schema import MAX_CONNECTIONS
from simulator.seeds import generator
from simulator.traffic.arrivals import (
    constant_arrivals,
    expected_count,
    paced,
    poisson_arrivals,
)
from simulator.traffic.lifetimes import draw_ns
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.scenario.schema import Phase, Scenario

    Column = NDArray[Any]
    Times = NDArray[np.int64]

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
    """

    columns: Mapping[str, Column]
    service_ns: Times
    duration_ns: int

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
        """SHA-256 over names, types and bytes of all columns in order, and of ``service_ns``."""
        digest = hashlib.sha256()
        for name, dtype in {**PLAN_COLUMNS, **SERVICE_COLUMNS}.items():
            column = self.service_ns if name in SERVICE_COLUMNS else self.columns[name]
            digest.update(f"{name} {dtype} {len(column)}\n".encode())
            digest.update(np.ascontiguousarray(column, dtype=dtype).data)
        return digest.hexdigest()

    def answered_ns(self) -> Times:
        """When each connection's last answer is due at the earliest, ns after its connect.

        Requests go out evenly over the lifetime, each when the one before is answered at the
        earliest: with ``g`` between them the last answer comes at the largest of ``i g`` plus the
        service times from the i-th on (Lindley's recursion written out). Shape (connections,).

        Source: Lindley, The theory of queues with a single server (1952), equation 1.
        """
        requests = self.columns["requests"]
        lifetimes = self.columns["lifetime_ns"]
        first = self.columns["first_service"]
        answered = np.zeros(self.connections, dtype=np.int64)
        for number in np.unique(requests[requests > 0]):
            rows = np.flatnonzero(requests == number)
            steps = np.arange(number, dtype=np.int64)
            for block in np.array_split(rows, -(-len(rows) * int(number) // _BLOCK)):
                service = self.service_ns[first[block][:, None] + steps]
                left = np.cumsum(service[:, ::-1], axis=1)[:, ::-1]
                begins = lifetimes[block][:, None] * steps // number
                answered[block] = (begins + left).max(axis=1)
        return answered

    def held_ns(self) -> Times:
        """How long each connection is open on an ideal network when its client ends it, ns."""
        longest: Times = np.maximum(self.columns["lifetime_ns"], self.answered_ns())
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


def make_plan(scenario: Scenario) -> Plan:
    """Draw the plan of a scenario; same scenario and seed, same bytes.

    Raises:
        Refused: it would hold more connections or requests than a plan may; nothing was
            allocated yet.
    """
    _refuse_too_large(scenario)
    pieces: dict[str, list[Column]] = {name: [] for name in PLAN_COLUMNS}
    services: list[Times] = []
    begins_ns = 0
    for index, phase in enumerate(scenario.traffic):
        due = _due(scenario.seed, phase)
        count = len(due)
        lifetime = (
            phase.for_ns - due
            if phase.hold is not None
            else draw_ns(phase.lifetime, count, generator(scenario.seed, "lifetime", phase.name))
        )
        before = sum(len(piece) for piece in services)
        rows = {
            "due_ns": due + begins_ns,
            "lifetime_ns": lifetime,
            "requests": np.full(count, phase.requests),
            "request_bytes": np.full(count, phase.request_size),
            "response_bytes": np.full(count, phase.response_size),
            "phase": np.full(count, index),
            "first_service": before + np.arange(count) * phase.requests,
        }
        for name, dtype in PLAN_COLUMNS.items():
            pieces[name].append(rows[name].astype(dtype))
        stream = generator(scenario.seed, "service", phase.name)
        services.append(draw_ns(scenario.backends.service_time, count * phase.requests, stream))
        begins_ns += phase.for_ns
    columns = {name: np.concatenate(parts) for name, parts in pieces.items()}
    service_ns = np.concatenate(services).astype(SERVICE_COLUMNS["service_ns"])
    for column in (*columns.values(), service_ns):
        column.setflags(write=False)
    return Plan(columns=columns, service_ns=service_ns, duration_ns=scenario.duration_ns)


def _due(seed: int, phase: Phase) -> Times:
    """Due times of one phase, ns since it began."""
    if phase.hold is not None:
        return paced(phase.hold.connections, phase.hold.rate)
    assert phase.arrivals is not None, "a phase has arrivals or hold"
    if phase.arrivals.constant is not None:
        rate = phase.arrivals.constant
        return constant_arrivals(rate.from_per_s, rate.to_per_s, phase.for_ns)
    assert phase.arrivals.poisson is not None, "arrivals are constant or poisson"
    rate = phase.arrivals.poisson
    stream = generator(seed, "arrivals", phase.name)
    return poisson_arrivals(rate.from_per_s, rate.to_per_s, phase.for_ns, stream)


def expected_connections(phase: Phase) -> float:
    """Connections that a phase asks for on average."""
    if phase.hold is not None:
        return float(phase.hold.connections)
    assert phase.arrivals is not None, "a phase has arrivals or hold"
    rate = phase.arrivals.constant or phase.arrivals.poisson
    assert rate is not None, "arrivals are constant or poisson"
    return expected_count(rate.from_per_s, rate.to_per_s, phase.for_ns)


def _arithmetic(phase: Phase) -> str:
    """How many connections a phase asks for, as a sum that can be followed."""
    count = format_count(expected_connections(phase))
    if phase.hold is not None or phase.arrivals is None:
        return f"{phase.name}: {count} held"
    rate = phase.arrivals.constant or phase.arrivals.poisson
    assert rate is not None, "arrivals are constant or poisson"
    low, high = format_rate(rate.from_per_s), format_rate(rate.to_per_s)
    mean = low if low == high else f"({low} + {high}) / 2"
    return f"{phase.name}: {mean} x {format_ns(phase.for_ns)} = {count}"


def _refuse_too_large(scenario: Scenario) -> None:
    connections = sum(expected_connections(phase) for phase in scenario.traffic)
    if connections > MAX_CONNECTIONS:
        sums = "\n".join(f"  {_arithmetic(phase)}" for phase in scenario.traffic)
        raise Refused(
            f"The plan asks for {format_count(connections)} connections; "
            f"{format_count(MAX_CONNECTIONS)} are the most.\n{sums}\n"
            "Lower the rates, or shorten the phases."
        )
    requests = sum(expected_connections(phase) * phase.requests for phase in scenario.traffic)
    if requests > MAX_REQUESTS:
        sums = "\n".join(
            f"  {_arithmetic(phase)} connections x {phase.requests} requests"
            for phase in scenario.traffic
        )
        raise Refused(
            f"The plan asks for {format_count(requests)} requests; "
            f"{format_count(MAX_REQUESTS)} are the most.\n{sums}\n"
            "Lower the rates or the requests, or shorten the phases."
        )
