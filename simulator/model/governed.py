"""A relay of the model that looks after its backends: `live/governed.py` without sockets.

Health, slow start and the waiting room are the very objects of the kernel engine; what they say is
acted on at the same moments of a connection. Where the live relay looks around a hundred times a
second, so does this one, since who waits for a port is served at such a moment and not before.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from simulator.balancing.health import Health, HealthSettings
from simulator.balancing.membership import Insert, Remove
from simulator.balancing.slow_start import SlowStart
from simulator.balancing.waiting import WaitingRoom
from simulator.model.checker import Checker
from simulator.model.relay import NOBODY, Relay
from simulator.records import Call, Ending
from simulator.seeds import pure_random, stream_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from simulator.balancing.health import Change
    from simulator.model.agenda import Agenda
    from simulator.model.backends import Backends
    from simulator.model.clients import Clients
    from simulator.model.connection import Connection
    from simulator.model.dialer import Dialer
    from simulator.model.directory import Directory
    from simulator.model.records import Records
    from simulator.scenario.balancer import Balancer
    from simulator.scenario.schema import Scenario

    Why = tuple[int, int, int]

_FULL: Final = (int(Call.PICK), int(Ending.FULL), NOBODY)
_PICK: Final = int(Call.PICK)
#: No port could be had; another moment may have one.
_NO_PORT: Final = frozenset(
    {
        (int(Call.CONNECT), errno.EADDRNOTAVAIL),
        (int(Call.BIND), errno.EADDRINUSE),
        (int(Call.BIND), int(Ending.NO_PORT)),
    }
)
#: What only the backend can be the reason for.
_BACKEND_FAILED: Final = frozenset({errno.ECONNREFUSED, int(Ending.TIMEOUT)})
#: As the live relay has them: a turn of those who wait, and the pause after a missing port.
TURN_NS: Final = 10_000_000
_PORT_PAUSE_NS: Final = 5_000_000
#: Picks of new backends that may be turned down in a row.
_REDRAWS: Final = 4


def relay_for(scenario: Scenario) -> type[Relay]:
    """The relay that a scenario needs; the plain one where nobody is looked after."""
    balancer = scenario.balancer
    is_governed = (
        balancer.health_checks is not None
        or balancer.ejection is not None
        or balancer.cap is not None
        or balancer.on_no_port == "queue"
        or balancer.retry_budget is not None
        or balancer.slow_start
    )
    return GovernedRelay if is_governed else Relay


def _health(balancer: Balancer) -> Health:
    checks, ejection = balancer.health_checks, balancer.ejection
    plain = HealthSettings()
    return Health(
        HealthSettings(
            fall=checks.fall if checks else plain.fall,
            rise=checks.rise if checks else plain.rise,
            failures=ejection.failures if ejection else 0,
            eject_ns=ejection.for_ns if ejection else plain.eject_ns,
            panic=balancer.panic,
        )
    )


class GovernedRelay(Relay):
    """A relay with checks, ejection, caps, a queue and slow start; arguments as for `Relay`."""

    def __init__(
        self,
        scenario: Scenario,
        index: int,
        agenda: Agenda,
        dialer: Dialer,
        directory: Directory,
        backends: Backends,
        records: Records,
        clients: Clients,
    ) -> None:
        super().__init__(scenario, index, agenda, dialer, directory, backends, records, clients)
        balancer = scenario.balancer
        checks, ejection = balancer.health_checks, balancer.ejection
        seed = stream_key(scenario.seed, "policy", index) >> 65
        self._health = _health(balancer)
        self._ramp_ns = balancer.slow_start
        self._ramp = SlowStart(max(1, balancer.slow_start), pure_random(seed, "slow-start", index))
        self._cap = balancer.cap or 0
        self._full: set[int] = set()
        self._turned_away = False  # the last pick found every backend at its cap
        self._queues_for_ports = balancer.on_no_port == "queue"
        self._no_port_until_ns = 0
        self._room = WaitingRoom(balancer.queue.size, balancer.queue.timeout)
        self._waiting: dict[int, tuple[Connection, Why]] = {}  # by row: who, and why
        self._serving: tuple[int, int] | None = None  # whose turn it is, until when it may wait
        self._silence_ns = (ejection.silence or 0) if ejection else 0
        self._unanswered: dict[Connection, int] = {}  # since when, oldest first
        self._turns = self._serves = False  # whether one is put down
        self._counts = {"queued": 0, "timeouts": 0, "no_room": 0}
        self._checker = (
            Checker(checks, agenda, dialer, directory, backends, self._on_checked)
            if checks
            else None
        )

    # Who is in rotation.

    def insert(self, backend: int, address: str, port: int) -> None:
        """A backend may be picked from now on; one that comes during a run starts slowly."""
        super().insert(backend, address, port)
        self._act(self._health.insert(backend))
        if self._ramp_ns and self.counts["accepted"]:
            self._ramp.begin(backend, self._now())
        if self._checker is not None:
            self._checker.insert(backend, self._destination[backend])

    def remove(self, backend: int) -> None:
        """A backend is not picked any more, and not checked."""
        super().remove(backend)
        self._ramp.end(backend)
        if self._checker is not None:
            self._checker.remove(backend)
        self._act(self._health.remove(backend))

    def _act(self, change: Change) -> None:
        """Put backends into rotation and take them out of it."""
        for backend in change.take_out:
            self._membership.apply(Remove(backend_id=backend))
            self._load.remove(backend)
        for backend in change.put_in:
            self._membership.apply(Insert(backend=self._membership.backends[backend]))
            self._load.insert(backend)
            if self._ramp_ns:
                self._ramp.begin(backend, self._now())
            self._free()
        self._keep_turning()

    def _on_checked(self, backend: int, is_there: bool) -> None:
        self._act(self._health.checked(backend, is_there))

    def _heard(self, backend: int, call: int, error: int) -> None:
        super()._heard(backend, call, error)
        if not error:
            if not self._silence_ns:  # else an answer clears it, and nothing before
                self._health.connected(backend)
        elif error in _BACKEND_FAILED:
            self._blame(backend)

    def _blame(self, backend: int) -> None:
        self._act(self._health.failed(backend, self._now()))

    # A backend is picked.

    def _pick(self, connection: Connection, tried: Collection[int]) -> int:
        self._turned_away = False
        return super()._pick(connection, tried)

    def _ask(self, connection: Connection, exclude: Collection[int]) -> int:
        """The policy's pick among those with room; a new backend's may not stand."""
        full = self._full
        left_out = full.union(exclude) if exclude else full
        first = backend = super()._ask(connection, left_out)
        if backend < 0:
            self._turned_away = any(one in full for one in self._membership.eligible)
            return backend
        if not len(self._ramp):
            return backend
        now_ns, left_out = self._now(), set(left_out)
        for _ in range(_REDRAWS):
            if self._ramp.stands(backend, now_ns):
                return backend
            left_out.add(backend)
            backend = super()._ask(connection, left_out)
            if backend < 0:
                return first
        return backend

    # A connection's moments.

    def _connect(self, connection: Connection, now_ns: int, failure: Why) -> None:
        if len(self._room) and self._serving is None and failure[0] == _PICK:
            if not self._let_wait(connection, now_ns, _FULL):
                super()._refuse(connection, now_ns, _FULL)
            return
        super()._connect(connection, now_ns, failure)

    def _connected(self, connection: Connection, backend: int, now_ns: int) -> None:
        self._count_in(backend)
        if self._silence_ns:
            self._unanswered[connection] = now_ns
            self._keep_turning()
        super()._connected(connection, backend, now_ns)

    def _wait(self, connection: Connection, now_ns: int) -> None:
        self._count_in(connection.meant)
        super()._wait(connection, now_ns)

    def _count_in(self, backend: int) -> None:
        if self._cap and self._load.open[backend] >= self._cap:
            self._full.add(backend)

    def answered(self, connection: Connection, now_ns: int) -> None:
        """The first byte of an answer clears its backend where silence would not."""
        super().answered(connection, now_ns)
        if self._unanswered.pop(connection, None) is not None:
            self._health.connected(connection.meant)

    def cut(self, connection: Connection, now_ns: int) -> None:
        """The backend reset a connection, maybe before it said anything."""
        super().cut(connection, now_ns)
        if self._unanswered.pop(connection, None) is not None:
            self._blame(connection.meant)

    def _refuse(self, connection: Connection, now_ns: int, failure: Why) -> None:
        """Let it wait, where waiting may help; refuse it otherwise."""
        if self._turned_away:
            self._turned_away = False
            failure = _FULL
        elif self._queues_for_ports and failure[:2] in _NO_PORT:
            self._no_port_until_ns = now_ns + _PORT_PAUSE_NS
        else:
            super()._refuse(connection, now_ns, failure)
            return
        if not self._let_wait(connection, now_ns, failure):
            super()._refuse(connection, now_ns, failure)

    def drop(
        self, connection: Connection, now_ns: int, *, waits: bool, far_waits: bool = False
    ) -> None:
        """The connection to the backend has ended, or that of a client that waits for one."""
        if connection.row in self._waiting:
            del self._waiting[connection.row]
            self._room.leave(connection.row)
        if connection.upstream is None:
            return
        self._unanswered.pop(connection, None)
        super().drop(connection, now_ns, waits=waits, far_waits=far_waits)
        backend = connection.meant
        if backend in self._full and self._load.open[backend] < self._cap:
            self._full.discard(backend)
        self._free()

    # Waiting.

    def _let_wait(self, connection: Connection, now_ns: int, why: Why) -> bool:
        """Let a client wait; whether there was room."""
        row = connection.row
        if self._serving is not None and self._serving[0] == row:
            self._room.put_back(*self._serving)
        elif self._room.enter(row, now_ns):
            self._counts["queued"] += 1
        else:
            self._counts["no_room"] += 1
            return False
        self._waiting[row] = (connection, why)
        connection.tried = None
        self._keep_turning()
        return True

    def _free(self) -> None:
        """There may be room for those who wait, as soon as what goes on is over."""
        if len(self._room) and not self._serves:
            self._serves = True
            self._agenda.at(self._now(), self._serve_freed, None, None)

    def _serve_freed(self, _one: object, _two: object) -> None:
        self._serves = False
        self._serve_waiting(self._now())

    def _serve_waiting(self, now_ns: int) -> None:
        """Serve those who wait, in order, until one could not be served."""
        while len(self._room) and now_ns >= self._no_port_until_ns:
            self._serving = row, _ = self._room.take_first()
            connection, _why = self._waiting.pop(row)
            self._connect(connection, now_ns, (_PICK, int(Ending.NO_BACKEND), NOBODY))
            self._serving = None
            if row in self._room:
                return

    def _keep_turning(self) -> None:
        has_work = len(self._room) or self._unanswered or self._health.next_ns() is not None
        if has_work and not self._turns:
            self._turns = True
            self._agenda.at(self._now() + TURN_NS, self._turn, None, None)

    def _turn(self, _one: object, _two: object) -> None:
        """Look after those who wait and those who are left out."""
        self._turns = False
        now_ns = self._now()
        self._blame_the_silent(now_ns)
        self._act(self._health.advance(now_ns))
        for row in self._room.out_of_patience(now_ns):
            connection, why = self._waiting.pop(row)
            self._counts["timeouts"] += 1
            super()._refuse(connection, now_ns, why)
        self._serve_waiting(now_ns)
        self._keep_turning()

    def _blame_the_silent(self, now_ns: int) -> None:
        late = []
        for connection, since_ns in self._unanswered.items():
            if since_ns > now_ns - self._silence_ns:
                break
            late.append(connection)
        for connection in late:
            del self._unanswered[connection]
            self._blame(connection.meant)

    def care(self) -> dict[str, int]:
        """Counts so far, as `live.governed.CareStatistics` names them."""
        checks = self._checker
        return {
            "checks": checks.begun if checks else 0,
            "checks_failed": checks.failed if checks else 0,
            "checks_without_port": checks.without_port if checks else 0,
            "ejections": self._health.ejections,
            "panics": self._health.panics,
            "out": len(self._membership.backends) - len(self._membership.eligible),
            "queued": self._counts["queued"],
            "queue_timeouts": self._counts["timeouts"],
            "queue_full": self._counts["no_room"],
            "waiting": len(self._room),
            "retries_denied": self.denied,
        }
