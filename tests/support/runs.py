# ruff: noqa: ANN401 - values of a scenario, a column or a JSON line may be anything
"""Runs made by hand, through the real writer and reader, so that a test can state every number."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.records import (
    CONNECTION_COLUMNS,
    CUT_COLUMNS,
    DIAL_COLUMNS,
    PLAN_COLUMNS,
    QUESTION_COLUMNS,
    REFUSAL_COLUMNS,
    SERVICE_COLUMNS,
    Call,
    Hop,
    Outcome,
)
from simulator.scenario.schema import Scenario
from simulator.store.read import load_run
from simulator.store.write import RunWriter, create_run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simulator.engine import Run

MS = 1_000_000
S = 1_000_000_000
CLIENT_ADDRESSES = ("127.1.0.1", "127.1.0.2")


def scenario(**changes: Any) -> Scenario:
    """A plain scenario: one phase of one second; keyword arguments replace top-level keys."""
    given: dict[str, Any] = {
        "title": "made by hand",
        "traffic": [{"name": "steady", "for": "1s", "arrivals": {"constant": "100/s"}}],
    }
    return Scenario.model_validate(given | changes)


def plan(due_ns: list[int], **columns: Any) -> dict[str, np.ndarray[Any, Any]]:
    """A plan with these moments; other columns constant: one request, phase 0, no lifetime."""
    size = len(due_ns)
    values: dict[str, Any] = {"due_ns": due_ns, "requests": 1} | columns
    made = {
        name: np.broadcast_to(np.array(values.get(name, 0), dtype=dtype), (size,)).copy()
        for name, dtype in PLAN_COLUMNS.items()
    }
    return made | {"service_ns": np.zeros(size, dtype=SERVICE_COLUMNS["service_ns"])}


@dataclass(slots=True)
class RunBuilder:
    """Collects rows and lines, then writes and reads them back.

    Rows that are not set stay PLANNED, as they do when a generator never takes them up.
    """

    scenario: Scenario = field(default_factory=scenario)
    variant: str = ""
    plan: dict[str, np.ndarray[Any, Any]] = field(default_factory=lambda: plan([]))
    rows: dict[int, dict[str, int]] = field(default_factory=dict)
    dials: list[dict[str, int]] = field(default_factory=list)
    refusals: list[dict[str, int]] = field(default_factory=list)
    sidecar_refusals: list[dict[str, int]] = field(default_factory=list)
    sidecar_cuts: list[dict[str, int]] = field(default_factory=list)
    sidecar_dials: list[dict[str, int]] = field(default_factory=list)
    questions: list[dict[str, int]] = field(default_factory=list)
    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def planned(self, due_ns: list[int], **columns: Any) -> RunBuilder:
        """Replace the plan."""
        self.plan = plan(due_ns, **columns)
        return self

    def _due(self, row: int) -> int:
        return int(self.plan["due_ns"][row])

    def ok(
        self,
        row: int,
        *,
        lag: int = 0,
        connect: int = MS,
        answer: int = 2 * MS,
        close: int = 3 * MS,
        **columns: int,
    ) -> RunBuilder:
        """One row that ended well; lag counts from due, the other moments from sent."""
        sent = self._due(row) + lag
        self.rows[row] = {
            "sent_ns": sent,
            "connected_ns": sent + connect,
            "first_byte_ns": sent + answer,
            "answered_ns": sent + answer,
            "closed_ns": sent + close,
            "connect_call_ns": 30_000,
            "answers": 1,
            "outcome": Outcome.OK,
            "source": 0,
            "port": 49152 + row,
            "backend": -1,
        } | columns
        return self

    def failed(
        self, row: int, call: Call, error: int, *, after: int = MS, **columns: int
    ) -> RunBuilder:
        """One row that failed ``after`` ns from its sending."""
        sent = self._due(row)
        self.rows[row] = {
            "sent_ns": sent,
            "closed_ns": sent + after,
            "connect_call_ns": 30_000,
            "outcome": Outcome.FAILED,
            "call": call,
            "error": error,
            "source": 0,
            "port": 49152 + row,
            "backend": -1,
        } | columns
        return self

    def outcome(self, row: int, outcome: Outcome, **columns: int) -> RunBuilder:
        """One row with nothing but an outcome."""
        self.rows[row] = {"outcome": outcome, **columns}
        return self

    def dial(
        self, t_ns: int, *, error: int = 0, call: Call = Call.CONNECT, **columns: int
    ) -> RunBuilder:
        """One connect of the balancer."""
        values = {"call_ns": 30_000, "backend": 0, "source": 0, "port": 0 if error else 50_000}
        self.dials.append(
            values | {"t_ns": t_ns, "error": error, "call": call if error else Call.NONE} | columns
        )
        return self

    def refusal(
        self, row: int, call: Call, error: int, *, hop: Hop = Hop.BALANCER_BACKEND, **columns: int
    ) -> RunBuilder:
        """The balancer's word on why it could not serve the client of a row set before."""
        client = self.rows[row]
        address = int(ipaddress.IPv4Address(CLIENT_ADDRESSES[client["source"]]))
        self.refusals.append(
            {
                "t_ns": client["sent_ns"] + MS // 2,
                "accepted_ns": client["sent_ns"] + MS // 4,
                "peer_address": address,
                "peer_port": client["port"],
                "call": call,
                "error": error,
                "hop": hop,
                "backend": 0,
            }
            | columns
        )
        return self

    def started(self) -> RunBuilder:
        """The event that tells the clients' addresses."""
        return self.event("started", 0, client_addresses=list(CLIENT_ADDRESSES))

    def event(self, name: str, t_ns: int, **data: Any) -> RunBuilder:
        """One line of events."""
        self.lines.append(("events", {"t_ns": t_ns, "event": name, **data}))
        return self

    def sample(self, t_ns: int, hops: Mapping[str, Mapping[str, Any]], **data: Any) -> RunBuilder:
        """One sample; `hop_sample` makes the values of ``hops``."""
        line = {"cost_ns": 1000, "cpu_ns": 1000, "sockets": 0, "complete": True, "tw": 0}
        self.lines.append(("samples", {"t_ns": t_ns, **line, "hops": hops, "counters": {}, **data}))
        return self

    def tick(self, t_ns: int, role: str, index: int = 0, **data: Any) -> RunBuilder:
        """One line of roles."""
        line = {"pid": 100 + index, "user_ns": 0, "system_ns": 0, "rss_bytes": 0, "fds": 10}
        self.lines.append(("roles", {"t_ns": t_ns, "role": role, "index": index, **line, **data}))
        return self

    def lease(
        self, backend: int, port: int, from_ns: int = -1, to_ns: int | None = None
    ) -> RunBuilder:
        """One line of leases."""
        record = {
            "backend": backend,
            "address": "127.4.0.1",
            "port": port,
            "allocator": "kernel",
            "from_ns": from_ns,
            "to_ns": to_ns,
            "lost_races": 0,
        }
        self.lines.append(("leases", record))
        return self

    def question(self, port: int, ident: int, backend: int = 0) -> RunBuilder:
        """One question that reached a DNS server."""
        row = {"t_ns": len(self.questions), "backend": backend, "peer_address": 127 << 24 | 1}
        self.questions.append({**row, "peer_port": port, "ident": ident})
        return self

    def write(self, root: Path) -> RunWriter:
        """Write everything but the summary; the writer is left open."""
        writer = create_run(
            root,
            slug="by-hand",
            text="title: made by hand\n",
            scenario=self.scenario,
            variant=self.variant,
            engine="kernel",
            command=["portchurn", "run", "by-hand.yaml"],
            plan=self.plan,
            host={"kernel": "test"},
        )
        for name in CONNECTION_COLUMNS:
            path = writer.folder / "connections" / f"{name}.npy"
            column = np.load(path, mmap_mode="r+")
            for row, values in self.rows.items():
                if name in values:
                    column[row] = values[name]
        _write_rows(writer, "dials", DIAL_COLUMNS, self.dials)
        _write_rows(writer, "refusals", REFUSAL_COLUMNS, self.refusals)
        _write_rows(writer, "sidecar-dials", DIAL_COLUMNS, self.sidecar_dials)
        _write_rows(writer, "sidecar-refusals", REFUSAL_COLUMNS, self.sidecar_refusals)
        _write_rows(writer, "sidecar-cuts", CUT_COLUMNS, self.sidecar_cuts)
        _write_rows(writer, "questions", QUESTION_COLUMNS, self.questions)
        for stream, record in self.lines:
            writer.line(stream, record)
        return writer

    def run(self, root: Path) -> Run:
        """Write it all and read it back."""
        with self.write(root) as writer:
            return load_run(writer.folder)


def _write_rows(
    writer: RunWriter, stream: str, columns: Mapping[str, str], rows: list[dict[str, int]]
) -> None:
    table = np.array([[row[name] for name in columns] for row in rows], dtype="<i8")
    writer.rows(stream, 0, table.tobytes())


def hop_sample(
    budget: int,
    *,
    established: int = 0,
    time_wait: int = 0,
    destination: str | None = "127.4.0.1:40123",
) -> dict[str, Any]:
    """What a sample says of a hop with one group."""
    in_use = established + time_wait
    states = {"established": established, "time_wait": time_wait, "other": 0}
    return {
        "groups": 1,
        "budget": budget,
        "in_use": in_use,
        **states,
        "worst": {"source": "127.2.0.1", "destination": destination, "in_use": in_use, **states},
        "accept_side": {"established": 0, "time_wait": 0, "other": 0},
        "new_ports": 0,
        "distinct_ports": in_use,
    }
