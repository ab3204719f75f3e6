"""The world of one run of the model: every part of a scenario, put together and moved by events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.model.agenda import Agenda
from simulator.model.backends import Backends
from simulator.model.clients import Clients
from simulator.model.dialer import Dialer
from simulator.model.directory import Directory
from simulator.model.flapping import begin_flapping
from simulator.model.governed import relay_for
from simulator.model.kernel_ports import KernelPorts
from simulator.model.moves import Moves
from simulator.model.nat import NatDialer, NatTuples, names_of
from simulator.model.records import Records
from simulator.model.sampling import HopSampler
from simulator.model.sidecar import Sidecar, sidecar_addresses
from simulator.model.tuples import HopTuples
from simulator.model.turns import Turns
from simulator.preflight.hops import hop_budgets, hops_of, source_of
from simulator.preflight.nat import nat_budget
from simulator.preflight.places import (
    BALANCER_PREFIX,
    FRONT,
    ROUTED,
    SIDECAR_FRONT,
    client_addresses,
    source_addresses,
)
from simulator.records import Call, Hop, error_name
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from simulator.model.connection import Connection
    from simulator.model.picker import Picker
    from simulator.model.relay import Relay
    from simulator.model.tuples import Group
    from simulator.scenario.schema import Scenario

    Write = Callable[[str, dict[str, Any]], None]


class World:
    """One run.

    Args:
        scenario: what is asked; checked by `scope`.
        plan: its columns.
        write: takes a line of a stream.

    Attributes:
        records: what became of each row.
        turns: what is due.
    """

    def __init__(
        self, scenario: Scenario, plan: Mapping[str, np.ndarray[Any, Any]], write: Write
    ) -> None:
        self._scenario = scenario
        self._write = write
        balancer = scenario.balancer
        self._workers = balancer.workers if balancer.driver != "none" else 0
        self.agenda = Agenda()
        self.records = Records(len(plan["due_ns"]), self._workers)
        self._directory = Directory(scenario.kernel.port_range)
        self._backends = Backends(scenario, self.agenda)
        self._kernel = KernelPorts(scenario, self.agenda, self._directory.held)
        self._tuples = [HopTuples(hop) for hop in hops_of(scenario)]
        self._nat = None if scenario.nat is None else NatTuples(scenario, scenario.nat)
        processes = scenario.clients.processes
        dialers = self._dialers("client", processes, self._tuples[0])
        self._clients = Clients(
            scenario, plan, self.agenda, dialers, self._directory, self._backends, self.records
        )
        self._relays = [
            relay_for(scenario)(
                scenario,
                index,
                self.agenda,
                dialer,
                self._directory,
                self._backends,
                self.records,
                self._clients,
            )
            for index, dialer in enumerate(
                self._dialers("balancer", self._workers, self._tuples[-1])
            )
        ]
        among_relays = self._choose_among(self._workers, "accepts")
        self._clients.doors, self._clients.choose = self._relays, among_relays
        self._sidecars: list[Sidecar] = []
        if scenario.sidecar is not None:
            workers = scenario.sidecar.workers
            self._sidecars = [
                Sidecar(scenario, index, dialer, self._clients, self._relays, among_relays)
                for index, dialer in enumerate(self._dialers("sidecar", workers, self._tuples[1]))
            ]
            self._clients.doors = self._sidecars
            self._clients.choose = self._choose_among(workers, "sidecar-accepts")
        self._backends.on_answer = self._clients.answered
        self._backends.on_chunk = self._clients.heard
        self._backends.on_reset = self._reset
        self._backends.on_silence = self._clients.silenced
        self.turns = Turns(scenario, plan, self.agenda, self.records, self._clients.take_up)
        if self.turns.follows:
            self._clients.ended = self._ended
        self._moves = Moves(
            scenario, self.agenda, self._backends, self._directory, self._tell, write
        )
        self._samplers = self._new_samplers()

    def _dialers(self, name: str, count: int, tuples: HopTuples) -> list[Dialer]:
        scenario = self._scenario
        hop = {"client": hops_of(scenario)[0], "sidecar": Hop.SIDECAR_BALANCER}
        source = source_of(scenario, hop.get(name, Hop.BALANCER_BACKEND))
        shared: dict[tuple[int, int], Group] = {}
        kernel = self._kernel
        if self._nat is not None and (name == "balancer" or not self._workers):
            return [
                NatDialer(self._nat, scenario, source, name, index, count, tuples, shared, kernel)
                for index in range(count)
            ]
        return [
            Dialer(scenario, source, name, index, count, tuples, shared, kernel)
            for index in range(count)
        ]

    def _choose_among(self, workers: int, name: str) -> Callable[[], int]:
        """The kernel spreads connections over listeners of one port by a hash: an even draw."""
        if workers <= 1:
            return lambda: 0
        draw = pure_random(self._scenario.seed, "model", name).random
        return lambda: int(draw() * workers)

    def _new_samplers(self) -> list[HopSampler]:
        scenario = self._scenario
        front = ":".join(map(str, FRONT))
        near = [client_addresses(scenario)]
        fronts = [front]
        if self._sidecars:
            near.append(sidecar_addresses(scenario))
            fronts.insert(0, ":".join(map(str, SIDECAR_FRONT)))
        if self._workers:
            fronts.append(front)
            dialed_from = source_addresses(scenario.balancer.source, BALANCER_PREFIX)
            near.append(dialed_from or (ROUTED,))
        budgets = hop_budgets(scenario)
        samplers = [
            HopSampler(
                budget,
                tuples,
                sources,
                self._directory if budget is budgets[-1] else None,
                far,
            )
            for budget, tuples, sources, far in zip(
                budgets, self._tuples, near, fronts, strict=True
            )
        ]
        if self._nat is not None and scenario.nat is not None:
            budget = nat_budget(scenario, scenario.nat)
            names = names_of(scenario.nat.rule, near[-1], budget.sources)
            samplers.append(HopSampler(budget, self._nat, names, self._directory, front))
        return samplers

    # What the parts tell each other.

    def _ended(self, row: int, succeeded: bool) -> None:
        self.turns.ended(row, succeeded)

    def _reset(self, connection: Connection, now_ns: int) -> None:
        if connection.relay is not None:
            connection.relay.cut(connection, now_ns)
        self._clients.reset(connection, now_ns)

    def _tell(self, insert: list[list[Any]], remove: list[int]) -> None:
        """Whoever picks backends takes note of a change."""
        role = "balancer" if self._relays else "client"
        pickers: Sequence[Relay | Picker] = self._relays or self._clients.pickers
        for index, picker in enumerate(pickers):
            for backend, address, port in insert:
                picker.insert(backend, address, port)
            for backend in remove:
                picker.remove(backend)
            if self._began:
                self._write(
                    "events",
                    {
                        "t_ns": self.agenda.now_ns,
                        "event": "membership",
                        "role": role,
                        "index": index,
                        "insert": insert,
                        "remove": remove,
                    },
                )

    _began = False

    # Time.

    def begin(self) -> None:
        """Everybody takes their places."""
        self._moves.begin()
        begin_flapping(self._scenario, self.agenda, self._backends, self._write)
        self._began = True

    def run_until(self, until_ns: int) -> None:
        """Do everything that is due up to a moment, that moment included."""
        agenda, turns = self.agenda, self.turns
        while True:
            due_ns, next_ns = turns.next_ns, agenda.next_ns
            if next_ns <= due_ns:  # who ends in a moment makes room for who comes in it
                if next_ns > until_ns:
                    break
                agenda.step()
            else:
                if due_ns > until_ns:
                    break
                turns.step()
        agenda.now_ns = max(agenda.now_ns, until_ns)

    def sample(self) -> dict[str, dict[str, Any]]:
        """Every hop at this moment."""
        now_ns = self.agenda.now_ns
        return {sampler.name: sampler.take(now_ns) for sampler in self._samplers}

    def take_rows(self) -> list[tuple[str, int, bytes]]:
        """Rows of all streams since the last call, as (stream, worker, bytes)."""
        walks = [("walks", at, tuples.take_walks()) for at, tuples in enumerate(self._tuples)]
        behind = [rows for one in self._sidecars for rows in one.take_rows()]
        return [*self.records.take_rows(), *behind, *(one for one in walks if one[2])]

    def end(self) -> None:
        """The run is over."""
        self.turns.end()
        self._moves.end(self.agenda.now_ns)
        if self._nat is not None:
            self._write("events", {"t_ns": self.agenda.now_ns, **self._nat.told()})

    @property
    def open(self) -> int:
        """Connections of rows that have not ended."""
        records = self.records
        return records.sent_count - records.ok_count - records.failed_count

    def role_counters(self) -> list[dict[str, Any]]:
        """A line for each process that the kernel engine would have, without what it costs."""
        lines: list[dict[str, Any]] = [
            {"role": "client", "index": index, "sent": sent}
            for index, sent in enumerate(self._clients.sent)
        ]
        lines += [
            {"role": "sidecar", "index": one.index, **one.counts, "dial_errors": _errors(one)}
            for one in self._sidecars
        ]
        lines += map(_relay_line, self._relays)
        return [*lines, {"role": "backend", "index": 0, **self._backends.counts}]

    def care_counters(self) -> list[dict[str, Any]]:
        """A line for each relay that looks after its backends, told as often as samples are."""
        return [_relay_line(relay) for relay in self._relays if relay.care()]


def _errors(relay: Relay | Sidecar) -> dict[str, int]:
    return {
        f"{Call(call).name.lower()}/{error_name(code)}": number
        for (call, code), number in relay.dial_errors.items()
    }


def _relay_line(relay: Relay) -> dict[str, Any]:
    care = relay.care()
    return {
        "role": "balancer",
        "index": relay.index,
        **relay.counts,
        **({"care": care} if care else {}),
        "dial_errors": _errors(relay),
        "picks": {str(one): number for one, number in sorted(relay.picks.items())},
    }
