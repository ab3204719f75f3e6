"""A plain run by arrays: the records that events would give, many times faster."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.model.agenda import Agenda
from simulator.model.backends import Backends
from simulator.model.dialer import NO_PORT
from simulator.model.directory import Directory
from simulator.model.moves import Moves
from simulator.model.plain import client_ports, course, fate
from simulator.model.port_space import interval_spaces, told_at
from simulator.model.records import write_column
from simulator.model.sampling import hop_lines, sample_line
from simulator.model.showing import progress_at
from simulator.model.stretches import NOBODY, held_at
from simulator.ports.selection.free_list import shuffled, usable_ports
from simulator.preflight.hops import blocked_ns, hop_budgets, hops_of, source_of, source_ports
from simulator.preflight.places import (
    BALANCER_PREFIX,
    FRONT,
    ROUTED,
    client_addresses,
    source_addresses,
)
from simulator.records import Call, Hop, Outcome
from simulator.scenario.schema import BINDS_A_PORT
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from simulator.engine import Job, Progress, Recorder
    from simulator.model.plain import Plan, Times
    from simulator.scenario.schema import Scenario

    Held = dict[str, tuple[Times, Times, Times]]
    Write = Callable[[str, dict[str, Any]], None]

_NEVER: Final = 1 << 62
#: Rows written at a time.
_ROWS: Final = 1 << 16


def _tables(columns: Sequence[NDArray[Any] | int], count: int) -> Iterator[bytes]:
    """Rows of so many columns, each an array or the same for all, some thousand at a time."""
    for first in range(0, count, _ROWS):
        last = min(count, first + _ROWS)
        table = np.empty((last - first, len(columns)), dtype="<i8")
        for at, column in enumerate(columns):
            table[:, at] = column if isinstance(column, int) else column[first:last]
        yield table.tobytes()


def listen(scenario: Scenario, write: Write) -> tuple[Moves, list[list[Any]]]:
    """Let all backends listen, none of which ever moves; and the endpoint of each, by id."""
    agenda = Agenda()
    endpoints: list[list[Any]] = []
    moves = Moves(
        scenario,
        agenda,
        Backends(scenario, agenda),
        Directory(scenario.kernel.port_range),
        lambda insert, _: endpoints.extend(insert),
        write,
    )
    moves.begin()
    return moves, endpoints


def group_name(
    scenario: Scenario, endpoints: Sequence[Sequence[Any]], group: int
) -> tuple[str, str | None]:
    """Source address and destination of a group on the hop to the backends (`plain.course`)."""
    near = client_addresses(scenario)
    if scenario.balancer.driver != "none":
        near = source_addresses(scenario.balancer.source, BALANCER_PREFIX) or (ROUTED,)
    if source_of(scenario, hops_of(scenario)[-1]).ports in ("early-bind", "permanent"):
        return near[group], None
    source, backend = divmod(group, scenario.backends.count)
    _, address, port = endpoints[backend]
    return near[source], f"{address}:{port}"


def _spans(port: Times, due: Times, closed: Times, blocked: int | None) -> Held:
    """From when to when ports were in which state."""
    if blocked is None:  # never given back
        return {"established": (port, due, closed), "other": (port, closed, closed + _NEVER)}
    return {"established": (port, due, closed), "time_wait": (port, closed, closed + blocked)}


class PlainRun:
    """One plain run.

    Args:
        scenario: `plain.is_plain` said yes to it.
        plan: its columns.
        write: takes a line of a stream.
    """

    def __init__(self, scenario: Scenario, plan: Plan, write: Write) -> None:
        self._scenario = scenario
        self._plan = plan
        self._write = write
        self._straight = scenario.balancer.driver == "none"
        self._hop = hops_of(scenario)[-1]
        self._source = source_of(scenario, self._hop)
        self._course = found = course(scenario, plan)
        ports = usable_ports(source_ports(scenario, self._source))
        if self._source.ports != "permanent":
            ports = shuffled(ports, pure_random(scenario.seed, "model", "plain-ports"))
        self._fate = fate(scenario, found, np.array(ports, dtype=np.int64))
        self._near, self._near_port, self._period = (
            (found.source, self._fate.port, 0) if self._straight else client_ports(scenario, found)
        )
        self._moves, self._endpoints = listen(scenario, write)

    @property
    def sent(self) -> int:
        """Connections taken up: all of them."""
        return len(self._course.due)

    def end_ns(self) -> int:
        """The first moment of a sample at which nothing is open, or the end of the grace."""
        scenario, every = self._scenario, self._scenario.sampling.every
        last = scenario.duration_ns + scenario.grace
        closed = int(self._course.closed[self._fate.taken].max(initial=0))
        wanted = max(scenario.duration_ns, closed)
        return min(-(-wanted // every) * every, last)

    def write(self, folder: Path, recorder: Recorder) -> None:
        """Write everything."""
        for _ in self.steps(folder, recorder):
            pass

    def steps(self, folder: Path, recorder: Recorder) -> Iterator[None]:
        """Write everything, a part at a time, each in a moment."""
        end_ns = self.end_ns()
        for name, values in self._columns(end_ns).items():
            write_column(folder, name, values)
            yield
        if not self._straight:
            for stream, rows in self._row_blocks():
                recorder.rows(stream, 0, rows)
                yield
        self._write_samples(end_ns)
        self._write_roles(end_ns)
        self._moves.end(end_ns)
        opened = int(np.count_nonzero(self._fate.taken & (self._course.closed > end_ns)))
        self._write("events", {"t_ns": end_ns, "event": "ended", "open": opened})

    def progress(self, job: Job) -> Progress:
        """How it stands: everything is worked out, and is being written down."""
        failed = int(np.count_nonzero(~self._fate.taken))
        return progress_at(
            job,
            "draining",
            self._scenario.duration_ns,
            planned=self.sent,
            asked=self.sent,
            sent=self.sent,
            ok=self.sent - failed,
            failed=failed,
            still_open=0,
        )

    # Connections, dials and refusals.

    def _columns(self, end_ns: int) -> dict[str, NDArray[Any]]:
        found, taken, plan = self._course, self._fate.taken, self._plan
        connected = taken if self._straight else np.ones_like(taken)
        asks = plan["requests"] > 0
        has_answer = taken & asks & (found.answered <= end_ns)
        ended = taken & (found.closed <= end_ns)
        outcome = np.where(ended, int(Outcome.OK), int(Outcome.OPEN))
        call, error = NO_PORT[self._source.ports]
        if not self._straight:
            call, error = Call.RECV, errno.ECONNRESET  # the cause is in the refusal
        return {
            "sent_ns": found.due,
            "connected_ns": np.where(connected, found.due, -1),
            "first_byte_ns": np.where(has_answer, found.answered, -1),
            "answered_ns": np.where(has_answer, found.answered, -1),
            "closed_ns": np.where(ended, found.closed, np.where(taken, -1, found.due)),
            "connect_call_ns": np.zeros(self.sent, dtype=np.int32),
            "answers": has_answer,
            "bytes_in": np.where(has_answer, plan["response_bytes"], 0),
            "outcome": np.where(taken, outcome, int(Outcome.FAILED)),
            "call": np.where(taken, 0, int(call)),
            "error": np.where(taken, 0, int(error)),
            "source": self._near,
            "port": np.where(connected, self._near_port, 0),
            "backend": found.backend if self._straight else np.full(self.sent, -1),
        }

    def _row_blocks(self) -> Iterator[tuple[str, bytes]]:
        """Dials and refusals, in the order of their columns."""
        found, fate_ = self._course, self._fate
        call, error = (int(one) for one in NO_PORT[self._source.ports])
        tells = self._source.ports in BINDS_A_PORT
        taken = fate_.taken
        dials = (
            *(found.due, 0, found.backend, found.source, fate_.port if tells else 0),
            *(np.where(taken, 0, error), np.where(taken, int(Call.CONNECT), call)),
        )
        for rows in _tables(dials, self.sent):
            yield "dials", rows
        lost = np.flatnonzero(~taken)
        addresses = np.array([int(IPv4Address(one)) for one in client_addresses(self._scenario)])
        due = found.due[lost]
        refusals = (
            *(due, due, addresses[self._near[lost]], self._near_port[lost], call, error),
            *(int(Hop.BALANCER_BACKEND), found.backend[lost]),
        )
        for rows in _tables(refusals, len(lost)):
            yield "refusals", rows

    # Samples.

    def _write_samples(self, end_ns: int) -> None:
        every = self._scenario.sampling.every
        moments = np.arange(every, end_ns + every, every, dtype=np.int64)
        moments[-1] = min(moments[-1], end_ns)
        hops = [self._toward_backends(moments)]
        if not self._straight:
            hops.insert(0, self._from_clients(moments))
        places = told_at(len(moments))
        spaces = self._port_spaces(moments, places, [name for name, _ in hops])
        for at, moment in enumerate(moments.tolist()):
            told = {name: line(at) | spaces.get((name, at), {}) for name, line in hops}
            self._write("samples", sample_line(self._scenario, moment, told))

    def _port_spaces(
        self, moments: Times, places: Times, hops: Sequence[str]
    ) -> dict[tuple[str, int], dict[str, Any]]:
        """What some samples tell of the ports, by hop and index of the sample."""
        found, taken = self._course, self._fate.taken
        blocked = blocked_ns(self._scenario, self._source)
        held = _spans(self._fate.port[taken], found.due[taken], found.closed[taken], blocked)
        spans = {hops[-1]: (source_ports(self._scenario, self._source), held)}
        if not self._straight:
            closed = np.where(taken, found.closed, found.due)
            source = source_of(self._scenario, hops_of(self._scenario)[0])
            ports = source_ports(self._scenario, source)
            spans[hops[0]] = (ports, _spans(self._near_port, found.due, closed, 0))
        return {
            (hop, int(at)): {"ports": told}
            for hop, (ports, one) in spans.items()
            for at, told in zip(places, interval_spaces(ports, moments[places], one), strict=False)
        }

    def _toward_backends(self, moments: Times) -> tuple[str, Callable[[int], dict[str, Any]]]:
        """The hop on which tuples may run out."""
        found, fate_ = self._course, self._fate
        rows = np.flatnonzero(fate_.taken)
        blocked = blocked_ns(self._scenario, self._source)
        closed = found.closed[rows]
        waits = closed if blocked is None else closed + blocked
        # What is free again is in the kernel's table until it is taken over, or forgotten.
        again = np.full(self.sent, _NEVER)
        heirs = rows[fate_.before[rows] != NOBODY]
        again[fate_.before[heirs]] = found.due[heirs]
        forgotten = np.maximum(closed + KERNEL_TIME_WAIT_NS, waits)
        lingers = np.minimum(again[rows], forgotten)
        counts = {
            "recyclable": held_at(waits, lingers, moments),
            "far": np.zeros(len(moments), dtype=np.int64),
        }
        if blocked is None:
            counts["recyclable"] = counts["far"]
        groups = {int(group): rows[found.group[rows] == group] for group in np.unique(found.group)}
        table = np.stack(
            [self._states(found.due[one], found.closed[one], blocked, moments)
             for one in groups.values()]
        )  # fmt: skip
        names = [group_name(self._scenario, self._endpoints, int(one)) for one in groups]
        return hop_lines(hop_budgets(self._scenario)[-1], table, names, counts)

    def _states(
        self, due: Times, closed: Times, blocked: int | None, moments: Times
    ) -> NDArray[np.int64]:
        """Open, waiting and kept tuples of a group, shape (3, moments)."""
        opened = held_at(due, closed, moments)
        none = np.zeros_like(opened)
        if blocked is None:
            return np.stack([opened, none, np.searchsorted(np.sort(closed), moments, "right")])
        return np.stack([opened, held_at(closed, closed + blocked, moments), none])

    def _from_clients(self, moments: Times) -> tuple[str, Callable[[int], dict[str, Any]]]:
        """The clients' own hop, where nothing runs out."""
        found, taken = self._course, self._fate.taken
        closed = np.where(taken, found.closed, found.due)
        again = np.full(self.sent, _NEVER)
        if self._period < self.sent:
            again[: -self._period] = found.due[self._period :]
        waits = closed[taken]
        lingers = np.minimum(again[taken], waits + KERNEL_TIME_WAIT_NS)
        lasting = held_at(waits, lingers, moments)
        none = np.zeros_like(lasting)
        by_client = self._scenario.balancer.close == "client"
        counts = {"recyclable": lasting, "far": none} if by_client else {
            "recyclable": none, "far": lasting
        }  # fmt: skip
        addresses = client_addresses(self._scenario)
        table = np.stack(
            [
                self._states(found.due[one], closed[one], 0, moments)
                for one in (self._near == at for at in range(len(addresses)))
            ]
        )
        front: str | None = ":".join(map(str, FRONT))
        names = [(address, front) for address in addresses]
        return hop_lines(hop_budgets(self._scenario)[0], table, names, counts)

    def _write_roles(self, end_ns: int) -> None:
        processes = self._scenario.clients.processes
        for index in range(processes):
            sent = len(range(index, self.sent, processes))
            self._write("roles", {"t_ns": end_ns, "role": "client", "index": index, "sent": sent})
        if self._straight:
            return
        picks = np.bincount(self._course.backend)
        line = {
            "accepted": self.sent,
            "dialed": int(np.count_nonzero(self._fate.taken)),
            "refused": int(np.count_nonzero(~self._fate.taken)),
            "picks": {str(at): int(n) for at, n in enumerate(picks) if n},
        }
        self._write("roles", {"t_ns": end_ns, "role": "balancer", "index": 0, **line})
