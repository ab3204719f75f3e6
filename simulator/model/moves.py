"""Backends take their ports, leave and come back, and whoever picks them is told late.

The same plan of moves, allocators and quarantine as in the kernel engine (`live/moves.py`). A port
that somebody listens on, or that still has connections of a backend which left, is a lost race.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.model.backends import AWAY, HANGING
from simulator.model.connection import GONE
from simulator.ports.allocators import make_allocator
from simulator.ports.lease import Lease
from simulator.ports.quarantine import Quarantine
from simulator.records import NOT_YET
from simulator.seeds import pure_random, stream_key
from simulator.traffic.churn import first_backends, plan_moves

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from simulator.model.agenda import Agenda
    from simulator.model.backends import Backend, Backends
    from simulator.model.connection import Connection
    from simulator.model.directory import Directory
    from simulator.scenario.schema import Scenario
    from simulator.traffic.churn import Move

    Told = Callable[[list[list[Any]], list[int]], None]
    Write = Callable[[str, dict[str, Any]], None]

#: A backend that finds no port asks again so much later.
_AGAIN_NS: Final = 50_000_000


class Moves:
    """Ports of all backends over a run.

    Args:
        scenario: whose.
        agenda: when.
        backends: who.
        directory: where.
        tell: passes a change on to those who pick.
        write: takes a line of a stream.
    """

    def __init__(
        self,
        scenario: Scenario,
        agenda: Agenda,
        backends: Backends,
        directory: Directory,
        tell: Told,
        write: Write,
    ) -> None:
        self._scenario = scenario
        self._agenda = agenda
        self._backends = backends
        self._directory = directory
        self._tell = tell
        self._write = write
        self._planned = plan_moves(scenario)
        self._quarantine = Quarantine(scenario.backends.quarantine)
        told = scenario.backends
        processes = min(told.processes, told.count)
        seed = stream_key(scenario.seed, "listeners") >> 65
        self._allocators = [
            make_allocator(told.ports, told.listen_range, seed, told.count)
            for _ in range(processes)
        ]
        self._kernel_ports = pure_random(seed, "model", "bind")
        self._leases: dict[int, Lease] = {}
        self._generation: Counter[int] = Counter()
        self._gone: set[int] = set()
        # Endpoints that a backend left: until when connections that it closed first wait there,
        # and those that go on.
        self._waits_until_ns: dict[tuple[str, int], int] = {}
        self._still_open: dict[tuple[str, int], tuple[Connection, ...]] = {}

    # The beginning and the end.

    def begin(self) -> None:
        """Everybody who is there at the start listens, and is known; moves are put down."""
        there = first_backends(self._scenario)
        self._gone = set(range(there, self._scenario.backends.count))
        for backend in self._backends.all[:there]:
            lease = self._take(backend, (), NOT_YET)
            assert lease is not None, "a scenario has a port for each of its backends"
        self._tell([self._endpoint(one) for one in range(there)], [])
        if self._planned:
            rows = [[one.t_ns, one.backend, one.action, one.how] for one in self._planned]
            self._event("moves-planned", 0, moves=rows)
        for move in self._planned:
            self._agenda.at(move.t_ns, self._do, move, None)

    def end(self, t_ns: int) -> None:
        """Write the end of every lease that is still held."""
        for lease in self._leases.values():
            self._lease_line(replace(lease, to_ns=t_ns))

    def _event(self, name: str, t_ns: int, **data: object) -> None:
        self._write("events", {"t_ns": t_ns, "event": name, **data})

    def _endpoint(self, backend: int) -> list[Any]:
        lease = self._leases[backend]
        return [backend, lease.address, lease.port]

    def _lease_line(self, lease: Lease) -> None:
        self._write(
            "leases",
            {
                "backend": lease.backend,
                "address": lease.address,
                "port": lease.port,
                "allocator": lease.allocator,
                "from_ns": lease.from_ns,
                "to_ns": lease.to_ns,
                "lost_races": lease.lost_races,
            },
        )

    # Ports.

    def _take(self, backend: Backend, resting: Collection[int], t_ns: int) -> Lease | None:
        """Take the first port that can be had; None when there is none."""
        number = backend.number
        allocator = self._allocators[number % len(self._allocators)]
        lost = 0
        for named in allocator.candidates(number, self._generation[number]):
            candidate = named or self._of_the_kernel(backend.address, resting)
            if candidate in resting:
                continue
            if not candidate or not self._is_free((backend.address, candidate)):
                lost += 1
                continue
            self._generation[number] += 1
            allocator.taken(number, candidate)
            lease = Lease(
                backend=number,
                address=backend.address,
                port=candidate,
                allocator=self._scenario.backends.ports,
                from_ns=t_ns,
                lost_races=lost,
            )
            self._leases[number] = lease
            self._directory.takes(backend, (backend.address, candidate))
            self._backends.listens(backend, candidate)
            self._lease_line(lease)
            return lease
        return None

    def _of_the_kernel(self, address: str, resting: Collection[int]) -> int:
        """What bind() to port 0 gives: drawn evenly, then the next free one; 0 = none."""
        ports = self._scenario.kernel.port_range
        reserved = self._scenario.kernel.reserved_ports
        start = self._kernel_ports.randrange(len(ports))
        for step in range(len(ports)):
            port = ports.first + (start + step) % len(ports)
            if port in resting or any(one.first <= port <= one.last for one in reserved):
                continue
            if self._is_free((address, port)):
                return port
        return 0

    def _is_free(self, endpoint: tuple[str, int]) -> bool:
        if self._directory.is_held(endpoint):
            return False
        if self._waits_until_ns.get(endpoint, 0) > self._agenda.now_ns:
            return False
        return all(one.state == GONE for one in self._still_open.get(endpoint, ()))

    # Moves.

    def _do(self, move: Move, _: object) -> None:
        backend = self._backends.all[move.backend]
        if move.action == "back":
            self._come_back(backend, None)
        elif move.backend not in self._gone:
            self._leave(backend, move.how)

    def _leave(self, backend: Backend, how: str) -> None:
        now_ns = self._agenda.now_ns
        self._gone.add(backend.number)
        lease = self._leases[backend.number]
        self._quarantine.leaving(lease.address, lease.port)
        opened = len(backend.connections)
        if how == "hang":
            backend.state = HANGING
            backend.queued = 0
        else:
            if how == "crash":
                self._backends.cut(backend)
            self._give_back(backend)
            backend.state = AWAY
        if how != "drain":
            self._backends.silence(backend)
        self._event(
            "backend-left",
            now_ns,
            backend=backend.number,
            address=lease.address,
            port=lease.port,
            how=how,
            open=opened,
        )
        self._tell_later([], [backend.number])

    def _give_back(self, backend: Backend) -> None:
        now_ns = self._agenda.now_ns
        lease = self._leases.pop(backend.number)
        endpoint = (lease.address, lease.port)
        self._directory.gives_back(endpoint)
        self._quarantine.given_back(*endpoint, now_ns)
        self._lease_line(replace(lease, to_ns=now_ns))
        self._still_open[endpoint] = tuple(backend.connections)
        if self._scenario.balancer.close == "backend":
            self._waits_until_ns[endpoint] = now_ns + KERNEL_TIME_WAIT_NS
        backend.port = 0

    def _come_back(self, backend: Backend, _: object) -> None:
        now_ns = self._agenda.now_ns
        if backend.number in self._leases:  # it hung until now
            self._backends.cut(backend)
            self._give_back(backend)
        resting = self._quarantine.resting(backend.address, now_ns)
        lease = self._take(backend, resting, now_ns)
        if lease is None:
            self._event("backend-waits", now_ns, backend=backend.number)
            self._agenda.at(now_ns + _AGAIN_NS, self._come_back, backend, None)
            return
        self._gone.discard(backend.number)
        where = {"address": lease.address, "port": lease.port}
        self._event("backend-back", now_ns, backend=backend.number, **where)
        self._tell_later([self._endpoint(backend.number)], [])

    def _tell_later(self, insert: list[list[Any]], remove: Sequence[int]) -> None:
        at_ns = self._agenda.now_ns + self._scenario.balancer.learns_after
        self._agenda.at(at_ns, self._tell, insert, list(remove))
