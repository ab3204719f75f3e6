"""The load generator of the model: what is due is sent when it is due, by `live/client.py`'s rules.

Nothing takes time but what the scenario says takes time: service, lifetimes, pauses, time-outs. So
a connection is connected in the moment it is sent, and an answer arrives as it is given.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from simulator.model.backends import DROPPED, HANGING, REFUSED
from simulator.model.connection import (
    GONE,
    HALF_CLOSED,
    LEAVING,
    RESTING,
    WAITING,
    Connection,
)
from simulator.model.picker import Picker
from simulator.model.plan_rows import PlanRows
from simulator.records import Call, Ending, http_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from simulator.model.agenda import Agenda
    from simulator.model.backends import Backends
    from simulator.model.dialer import Dialer
    from simulator.model.directory import Directory
    from simulator.model.records import Records
    from simulator.model.sidecar import Door
    from simulator.scenario.schema import Scenario

_EOF: Final = int(Ending.EOF)
_TIMEOUT: Final = int(Ending.TIMEOUT)
_RECV: Final = int(Call.RECV)
_CONNECT: Final = int(Call.CONNECT)


class Clients:
    """All generator processes.

    Args:
        scenario: whose.
        plan: columns by name.
        agenda: where what is due later is put.
        dialers: one for each process.
        directory: endpoints.
        backends: what answers.
        records: where rows go.

    Attributes:
        doors: workers of the balancer, or of the sidecar before it; none without a balancer.
        pickers: one for each process, used without a balancer.
        choose: which of them accepts the next connection.
        ended: told of each row that ends, by its row and whether it succeeded.
    """

    def __init__(
        self,
        scenario: Scenario,
        plan: Mapping[str, np.ndarray[Any, Any]],
        agenda: Agenda,
        dialers: list[Dialer],
        directory: Directory,
        backends: Backends,
        records: Records,
    ) -> None:
        self._agenda = agenda
        self._dialers = dialers
        self._directory = directory
        self._backends = backends
        self._records = records
        self.doors: Sequence[Door] = ()
        self.pickers = [Picker(scenario, at, directory) for at in range(len(dialers))]
        self.choose: Callable[[], int] = lambda: 0
        self.ended: Callable[[int, bool], None] | None = None
        self._close = scenario.balancer.close
        self._timeout_ns = scenario.clients.timeout
        has_balancer = scenario.balancer.driver != "none"
        self._idle_ns = scenario.balancer.idle_timeout if has_balancer else 0
        self._half_close = scenario.balancer.half_close
        self._backend_idle_ns = scenario.backends.idle_timeout or 0
        self._plan = PlanRows(scenario, plan)
        self._streams = scenario.backends.stream is not None
        self._requests = self._plan.requests
        self.sent = [0] * len(dialers)

    # A connection begins.

    def take_up(self, row: int, worker: int) -> None:
        """A connection is due."""
        now_ns = self._agenda.now_ns
        self.sent[worker] += 1
        if self.doors:
            self._through_a_relay(row, worker, now_ns)
        else:
            self._straight(row, worker, now_ns)

    def _through_a_relay(self, row: int, worker: int, now_ns: int) -> None:
        dialer = self._dialers[worker]
        group = dialer.dial(0, now_ns)
        if group is None:
            self._not_dialed(row, dialer, -1, dialer.no_port, now_ns)
            return
        port = dialer.last_port
        self._records.sent(row, now_ns, dialer.last_source, port, -1, connected=True)
        connection = Connection(row, worker, group, port, now_ns)
        if self._requests[row]:
            connection.begun = 1
        else:
            connection.state = RESTING
        self.doors[self.choose()].admit(connection, now_ns)
        if connection.server is None and connection.state == WAITING:
            what = (connection.stamp, _RECV)
            self._agenda.at(now_ns + self._timeout_ns, self._too_late, connection, what)
        if connection.state == RESTING and not connection.begun:
            self._rest(connection, now_ns)

    def _straight(self, row: int, worker: int, now_ns: int) -> None:
        picker, dialer = self.pickers[worker], self._dialers[worker]
        backend = picker.pick()
        if backend < 0:
            failure = (int(Call.PICK), int(Ending.NO_BACKEND))
            self._not_dialed(row, dialer, -1, failure, now_ns)
            return
        destination = picker.destination[backend]
        group = dialer.dial(destination, now_ns)
        if group is None:
            self._not_dialed(row, dialer, backend, dialer.no_port, now_ns)
            return
        port = dialer.last_port
        connection = Connection(row, worker, group, port, now_ns)
        connection.meant = backend
        found = self._backends.connect(self._directory.at(destination), connection)
        connects = found not in (REFUSED, DROPPED)
        source = dialer.last_source
        self._records.sent(row, now_ns, source, port, backend, connected=connects)
        picker.load.opened(backend)
        if found == REFUSED:
            self._fail(connection, now_ns, _CONNECT, errno.ECONNREFUSED)
        elif found == DROPPED:
            what = (connection.stamp, _CONNECT)
            self._agenda.at(now_ns + self._timeout_ns, self._too_late, connection, what)
        elif self._requests[row]:
            connection.begun = 1
            self.ask(connection, now_ns)
        else:
            connection.state = RESTING
            self._rest(connection, now_ns)

    def _not_dialed(
        self, row: int, dialer: Dialer, backend: int, failure: tuple[int, int], now_ns: int
    ) -> None:
        self._records.sent(row, now_ns, dialer.last_source, 0, backend, connected=False)
        self._records.failed(row, now_ns, *failure)
        if self.ended is not None:
            self.ended(row, False)

    # Requests and answers.

    def ask(self, connection: Connection, now_ns: int) -> None:
        """The request under way arrives at the backend."""
        row = connection.row
        service_ns = self._plan.service_ns(row, connection.begun)
        chunks = self._plan.chunks(row) if self._streams else 0
        answered_ns = self._backends.request(connection, service_ns, now_ns, chunks)
        if answered_ns == now_ns and not connection.serving:
            self.answered(connection, now_ns)
            return
        if answered_ns is None or answered_ns - now_ns > self._timeout_ns:
            what = (connection.stamp, _RECV)
            self._agenda.at(now_ns + self._timeout_ns, self._too_late, connection, what)
        first_ns = now_ns + service_ns if chunks and answered_ns is not None else answered_ns
        self._watch_silence(connection, now_ns, first_ns)

    def heard(self, connection: Connection, until_ns: int) -> None:
        """A chunk of an answer is in, and until a moment there is no silence."""
        connection.active_ns = until_ns
        self._records.first_byte(connection.row, self._agenda.now_ns)
        if connection.relay is not None:
            connection.relay.answered(connection, self._agenda.now_ns)

    def answered(self, connection: Connection, now_ns: int) -> None:
        """An answer is in."""
        row = connection.row
        connection.stamp += 1
        connection.active_ns = now_ns
        begun = connection.begun
        size = 0 if connection.status else self._plan.response[row]
        self._records.answered(row, now_ns, begun, size)
        if connection.relay is not None:
            connection.relay.answered(connection, now_ns)
        if self._close == "backend" and begun == self._requests[row]:
            self._finish(connection, now_ns)
            return
        connection.state = RESTING
        self._rest(connection, now_ns)

    def _rest(self, connection: Connection, now_ns: int) -> None:
        """Until the next request is due, or the end of the connection's lifetime."""
        row, begun = connection.row, connection.begun
        at_ns = self._plan.next_ns(row, begun, now_ns, self._records.sent_at(row))
        if at_ns == now_ns and begun >= self._requests[row]:
            self._step(connection, connection.stamp)
            return
        self._agenda.at(at_ns, self._step, connection, connection.stamp)
        if at_ns > now_ns:
            self._watch_silence(connection, now_ns, at_ns)
            idle_ns = self._backend_idle_ns
            if idle_ns and at_ns - now_ns > idle_ns:
                what = (connection.stamp, False)
                self._agenda.at(now_ns + idle_ns, self._silent, connection, what)

    def _step(self, connection: Connection, stamp: int) -> None:
        """The next request, or the end."""
        if connection.stamp != stamp or connection.state != RESTING:
            return
        now_ns = self._agenda.now_ns
        connection.stamp += 1
        if connection.begun < self._requests[connection.row]:
            connection.begun += 1
            connection.state = WAITING
            connection.active_ns = connection.wants_ns = now_ns
            if connection.server is not None:
                self.ask(connection, now_ns)
            return
        if self._close == "balancer":
            connection.state = LEAVING
            self._leave(connection, now_ns)
        else:
            self._finish(connection, now_ns)

    def _leave(self, connection: Connection, now_ns: int) -> None:
        """The balancer's idle timeout ends it, or the backend's where that is the shorter one."""
        what = (connection.stamp, True)
        until_ns = max(now_ns, connection.active_ns + self._idle_ns)
        self._agenda.at(until_ns, self._silent, connection, what)
        idle_ns = self._backend_idle_ns
        if idle_ns and connection.active_ns + idle_ns < until_ns:
            early = (connection.stamp, False)
            at_ns = max(now_ns, connection.active_ns + idle_ns)
            self._agenda.at(at_ns, self._silent, connection, early)

    # Silence.

    def _watch_silence(self, connection: Connection, now_ns: int, next_ns: int | None) -> None:
        """Let the balancer cut what will be silent for too long."""
        idle_ns = self._idle_ns
        if idle_ns and (next_ns is None or next_ns - now_ns > idle_ns):
            what = (connection.stamp, True)
            self._agenda.at(now_ns + idle_ns, self._silent, connection, what)

    def silenced(self, connection: Connection, active_ns: int) -> None:
        """What was to be answered in time will not be: who waits ends by the first limit met."""
        connection.active_ns = active_ns
        now_ns, stamp = self._agenda.now_ns, connection.stamp
        late_ns = max(now_ns, connection.wants_ns + self._timeout_ns)
        self._agenda.at(late_ns, self._too_late, connection, (stamp, _RECV))
        if self._idle_ns:
            silent_ns = max(now_ns, active_ns + self._idle_ns)
            self._agenda.at(silent_ns, self._silent, connection, (stamp, True))

    def _silent(self, connection: Connection, what: tuple[int, bool]) -> None:
        """Balancer (True) or backend (False) ends a connection on which nothing happened."""
        stamp, by_balancer = what
        if connection.stamp != stamp or connection.state == GONE:
            return
        server = connection.server
        if not by_balancer and (server is None or server.state == HANGING):
            return
        now_ns = self._agenda.now_ns
        if connection.state == WAITING and now_ns < connection.active_ns + self._idle_ns:
            return  # chunks of an answer have come meanwhile
        row = connection.row
        all_in = (
            connection.state in (RESTING, LEAVING)
            and self._close == "balancer"
            and connection.begun == self._requests[row]
        )
        if connection.state == HALF_CLOSED:
            self._let_go(connection, now_ns, waits=False, by_backend=False)
            return
        if by_balancer and connection.relay is not None:
            connection.relay.counts["idle_closed"] += 1
        else:
            self._backends.counts["idled"] += 1
        self._let_go(
            connection,
            now_ns,
            waits=by_balancer,
            by_backend=not by_balancer,
            far_waits=True,
            own_waits=False,
        )
        if all_in:
            self._complete(connection, now_ns)
            return
        self._records.failed(row, now_ns, _RECV, _EOF)
        if self.ended is not None:
            self.ended(row, False)

    def _too_late(self, connection: Connection, what: tuple[int, int]) -> None:
        stamp, call = what
        if connection.stamp == stamp and connection.state == WAITING:
            self._fail(connection, self._agenda.now_ns, call, _TIMEOUT)

    # Ends.

    def _finish(self, connection: Connection, now_ns: int) -> None:
        """A connection ends as planned; who closed first keeps its tuples."""
        server = connection.server
        close = self._close
        by_backend = close == "backend" and bool(self._requests[connection.row])
        waits = close != "reset" and not by_backend
        waits_for_it = waits and self._half_close
        if waits_for_it and server is not None and server.state == HANGING:
            connection.state = HALF_CLOSED  # nobody closes the other half until that one is back
            connection.stamp += 1
            self._watch_silence(connection, now_ns, None)
        else:
            self._let_go(
                connection,
                now_ns,
                waits=waits,
                by_backend=by_backend,
                far_waits=by_backend,
                own_waits=waits,
            )
        self._complete(connection, now_ns)

    def _complete(self, connection: Connection, now_ns: int) -> None:
        """A connection went on to its end; a status that is a failure is told only then."""
        row, status = connection.row, connection.status
        if status:
            self._records.failed(row, now_ns, _RECV, http_error(status))
        else:
            self._records.ok(row, now_ns)
        if self.ended is not None:
            self.ended(row, not status)

    def reset(self, connection: Connection, now_ns: int) -> None:
        """The other side resets a connection."""
        if connection.state == HALF_CLOSED:
            self._let_go(connection, now_ns, waits=False, by_backend=False)
            return
        if connection.sidecar is not None:
            connection.sidecar.cut(connection, now_ns)
        self._fail(connection, now_ns, _RECV, errno.ECONNRESET)

    def _fail(self, connection: Connection, now_ns: int, call: int, code: int) -> None:
        self._let_go(connection, now_ns, waits=False, by_backend=False)
        self._records.failed(connection.row, now_ns, call, code)
        if self.ended is not None:
            self.ended(connection.row, False)

    def _let_go(
        self,
        connection: Connection,
        now_ns: int,
        *,
        waits: bool,
        by_backend: bool,
        far_waits: bool = False,
        own_waits: bool = False,
    ) -> None:
        """Both tuples of a connection are given up.

        Args:
            connection: whose.
            now_ns: when.
            waits: whether the balancer keeps its tuple toward the backend.
            by_backend: whether the backend keeps that one.
            far_waits: whether whoever accepted the client keeps the client's tuple.
            own_waits: whether the client does; a sidecar toward the balancer does the same.
        """
        connection.stamp += 1
        connection.state = GONE
        relay = connection.relay
        connection.group.end(connection.port, now_ns, waits=own_waits, far_waits=far_waits)
        middle = connection.middle
        if middle is not None:  # whoever ends it at one end of a sidecar ends it at the other
            middle.end(connection.middle_port, now_ns, waits=own_waits, far_waits=far_waits)
        if relay is not None:
            relay.drop(connection, now_ns, waits=waits, far_waits=by_backend)
            return
        if self.doors:  # it came no further than the sidecar
            return
        self.pickers[connection.worker].load.closed(connection.meant)
        self._backends.ended(connection)
