"""One worker of the model's balancer: picks, dials and retries as `live/relay.py` does.

Policies, loads and budgets are the very objects of the kernel engine, with streams of the same
names, so that policies which look at no load pick the same backends one by one.
"""

from __future__ import annotations

import errno
from collections import Counter
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

from simulator.balancing.aged_load import AgedLoad
from simulator.balancing.membership import Backend as Told
from simulator.balancing.membership import Insert, Membership, Remove
from simulator.balancing.policies.peak_ewma import PeakEwma
from simulator.balancing.policies.select import select_load, select_policy
from simulator.balancing.retry_budget import RetryBudget
from simulator.model.backends import DROPPED, REFUSED
from simulator.model.connection import GONE, WAITING, Connection
from simulator.model.sidecar import sidecar_addresses
from simulator.preflight.picking import balancer_key, policy_options
from simulator.preflight.places import client_addresses
from simulator.records import Call, Ending, Hop
from simulator.seeds import pure_random, stream_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from simulator.balancing.load import Load
    from simulator.model.agenda import Agenda
    from simulator.model.backends import Backends
    from simulator.model.clients import Clients
    from simulator.model.dialer import Dialer
    from simulator.model.directory import Directory
    from simulator.model.records import Records
    from simulator.scenario.schema import Scenario

NOBODY: Final = -1
_NO_BACKEND: Final = (int(Call.PICK), int(Ending.NO_BACKEND), NOBODY)
_CONNECT: Final = int(Call.CONNECT)
_BACKEND_FAILED: Final = frozenset({errno.ECONNREFUSED, int(Ending.TIMEOUT)})


class Relay:
    """One relay worker.

    Args:
        scenario: whose.
        index: which worker.
        agenda: for connects that get no answer, and silence.
        dialer: its source ports.
        directory: endpoints.
        backends: what a connect meets.
        records: where dials and refusals go.
        clients: told when a client cannot be served.

    Attributes:
        picks: times that each backend was picked.
        counts: accepted, active, retries and more, for `roles.jsonl`.
        denied: retries that the budget did not pay for.
    """

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
        balancer = scenario.balancer
        options = policy_options(scenario)
        stream = pure_random(stream_key(scenario.seed, "policy", index) >> 65, "picks", index)
        name = balancer.policy.name
        self.index = index
        self._policy: Any = select_policy(
            name, balancer.policy.choices, stream, start=index, options=options
        )
        seen = select_load(name, options, self._now)
        self._aged = AgedLoad(balancer.load_age, self._now, seen) if balancer.load_age else None
        self._load: Load = self._aged or seen
        self._ewma = self._policy if isinstance(self._policy, PeakEwma) else None
        budget = balancer.retry_budget
        self._budget = RetryBudget(budget.share, budget.reserve) if budget else None
        self._key = balancer_key(scenario)
        # Whom it sees at the other end: clients, or the sidecar before them.
        peers = sidecar_addresses(scenario) or client_addresses(scenario)
        self._addresses = [int(IPv4Address(one)) for one in peers]
        self._retries = balancer.retries
        self._connect_timeout_ns = balancer.connect_timeout
        self._agenda = agenda
        self._dialer = dialer
        self._directory = directory
        self._backends = backends
        self._records = records
        self._clients = clients
        self._membership = Membership()
        self._destination: dict[int, int] = {}
        self._dials = 0
        self.picks: Counter[int] = Counter()
        self.counts = {"accepted": 0, "dialed": 0, "retries": 0, "refused": 0, "idle_closed": 0}
        self.denied = 0
        self.dial_errors: Counter[tuple[int, int]] = Counter()

    def care(self) -> dict[str, int]:
        """What looking after backends came to, for `roles.jsonl`; nothing where it is not done."""
        return {}

    def _now(self) -> int:
        return self._agenda.now_ns

    # What it is told.

    def insert(self, backend: int, address: str, port: int) -> None:
        """A backend may be picked from now on, at this endpoint."""
        told = Told(backend_id=backend, address=address, port=port)
        self._membership.apply(Insert(backend=told))
        self._load.insert(backend)
        number = self._directory.number((address, port))
        self._destination[backend] = number
        self._dialer.know(number)

    def remove(self, backend: int) -> None:
        """A backend is not picked any more."""
        self._membership.apply(Remove(backend_id=backend))
        self._load.remove(backend)

    # A connection's moments.

    def admit(self, connection: Connection, now_ns: int) -> None:
        """A client has connected."""
        connection.relay = self
        self.counts["accepted"] += 1
        if self._budget is not None:
            self._budget.pay_in()
        self._connect(connection, now_ns, _NO_BACKEND)

    def _connect(self, connection: Connection, now_ns: int, failure: tuple[int, int, int]) -> None:
        """Dial backends until one may answer, or give up."""
        dialer = self._dialer
        while True:
            tried = connection.tried
            if tried is not None and len(tried) > self._retries:
                self._refuse(connection, now_ns, failure)
                return
            backend = self._pick(connection, tried or ())
            if backend < 0:
                self._refuse(connection, now_ns, failure)
                return
            self.picks[backend] += 1
            if tried:
                self.counts["retries"] += 1
            destination = self._destination[backend]
            group = dialer.dial(destination, now_ns)
            if group is None:
                call, error = dialer.no_port
            else:
                found = self._backends.connect(self._directory.at(destination), connection)
                if found != REFUSED:
                    connection.upstream, connection.upstream_port = group, dialer.last_port
                    connection.meant = backend
                    self.counts["dialed"] += 1
                    self._load.opened(backend)
                    if found == DROPPED:
                        self._wait(connection, now_ns)
                    else:
                        self._connected(connection, backend, now_ns)
                    return
                group.end(dialer.last_port, now_ns, waits=False)
                call, error = _CONNECT, errno.ECONNREFUSED
            self._note(now_ns, backend, error, call)
            failure = (call, error, backend)
            if connection.tried is None:
                connection.tried = []
            connection.tried.append(backend)

    def _pick(self, connection: Connection, tried: Collection[int]) -> int:
        if tried and self._budget is not None and not self._budget.take():
            self.denied += 1
            return NOBODY
        return self._ask(connection, tried)

    def _ask(self, connection: Connection, exclude: Collection[int]) -> int:
        """The policy's pick among all who are not left out."""
        load = self._load if self._aged is None else self._aged.catch_up(self._agenda.now_ns)
        eligible = self._membership.eligible
        picked: int
        if self._key:
            picked = self._policy.pick(eligible, load, exclude, self._client_key(connection))
        else:
            picked = self._policy.pick(eligible, load, exclude)
        return picked

    def _client_key(self, connection: Connection) -> int:
        number, port = self._peer(connection)
        return number << 16 | port if self._key == "connection" else number

    def _peer(self, connection: Connection) -> tuple[int, int]:
        """Address, as a number, and port of whoever connected."""
        if connection.middle is not None:
            return self._addresses[connection.middle.source], connection.middle_port
        return self._addresses[connection.group.source], connection.port

    def _note(self, t_ns: int, backend: int, error: int, call: int) -> None:
        dialer = self._dialer
        port = dialer.last_port if dialer.tells_port else 0
        self._records.dialed(self.index, t_ns, backend, dialer.last_source, port, error, call)
        self._heard(backend, call, error)

    def _heard(self, backend: int, call: int, error: int) -> None:
        """A connect has its result; one that only the backend can be the reason for is learned."""
        if error:
            self.dial_errors[call, error] += 1
            if self._ewma is not None and error in _BACKEND_FAILED:
                self._ewma.observe(backend, self._connect_timeout_ns, self._agenda.now_ns)

    def _connected(self, connection: Connection, backend: int, now_ns: int) -> None:
        self._note(now_ns, backend, 0, _CONNECT)
        connection.asked_ns = now_ns
        if connection.state == WAITING:
            self._clients.ask(connection, now_ns)

    # A connect without an answer.

    def _wait(self, connection: Connection, now_ns: int) -> None:
        self._dials += 1
        connection.dial = self._dials
        until_ns = now_ns + self._connect_timeout_ns
        port = connection.upstream_port if self._dialer.tells_port else 0
        begun = (now_ns, self._dialer.last_source, port)
        self._agenda.at(until_ns, self._waited_in_vain, connection, (self._dials, begun))

    def _waited_in_vain(
        self, connection: Connection, what: tuple[int, tuple[int, int, int]]
    ) -> None:
        dial, (t_ns, source, port) = what
        if connection.dial != dial:
            return
        now_ns, backend, error = self._agenda.now_ns, connection.meant, int(Ending.TIMEOUT)
        self._records.dialed(self.index, t_ns, backend, source, port, error, _CONNECT)
        self._heard(backend, _CONNECT, error)
        connection.dial = 0
        self.drop(connection, now_ns, waits=False)
        connection.tried = [*(connection.tried or ()), backend]
        self._connect(connection, now_ns, (_CONNECT, error, backend))

    # Ends.

    def cut(self, connection: Connection, now_ns: int) -> None:
        """The backend reset a connection; a reset is no quick answer."""
        if self._ewma is not None and connection.asked_ns >= 0:
            took_ns = max(now_ns - connection.asked_ns, self._connect_timeout_ns)
            self._ewma.observe(connection.meant, took_ns, now_ns)
            connection.asked_ns = -1

    def _refuse(self, connection: Connection, now_ns: int, failure: tuple[int, int, int]) -> None:
        """Nobody can serve this client: tell it by RST and write down why."""
        call, error, backend = failure
        self.counts["refused"] += 1
        cause = (call, error, int(Hop.BALANCER_BACKEND), backend)
        self._records.refused(self.index, (now_ns, now_ns), self._peer(connection), cause)
        if connection.state != GONE:
            self._clients.reset(connection, now_ns)

    def answered(self, connection: Connection, now_ns: int) -> None:
        """The first byte of an answer, for policies that learn how long it took."""
        if self._ewma is not None and connection.asked_ns >= 0:
            self._ewma.observe(connection.meant, now_ns - connection.asked_ns, now_ns)
            connection.asked_ns = -1

    def drop(
        self, connection: Connection, now_ns: int, *, waits: bool, far_waits: bool = False
    ) -> None:
        """The connection to the backend has ended.

        Args:
            connection: whose.
            now_ns: when.
            waits: whether the relay closed it first, or passed that on, and so keeps its tuple.
            far_waits: whether the backend did.
        """
        group = connection.upstream
        if group is None:
            return
        if connection.dial:
            connection.dial = 0  # given up for the client's sake
            port = connection.upstream_port if self._dialer.tells_port else 0
            row = (connection.meant, group.source, port, int(Ending.EOF), _CONNECT)
            self._records.dialed(self.index, now_ns, *row)
        connection.upstream = None
        group.end(connection.upstream_port, now_ns, waits=waits, far_waits=far_waits)
        self._backends.ended(connection)
        self._load.closed(connection.meant)
