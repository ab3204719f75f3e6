"""The sidecar of the model: a relay whose only destination is the balancer.

What `live/balancers/sidecar.py` does with sockets: it takes one port of its own for each client
that it passes on, and there is no other balancer to try. The balancer knows a client behind it by
the sidecar's address and port, and what it refuses it resets, so that the sidecar writes down whose
connection that was.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Final, Protocol

from simulator.preflight.places import ROUTED, SIDECAR_PREFIX, client_addresses, source_addresses
from simulator.records import CUT_COLUMNS, DIAL_COLUMNS, REFUSAL_COLUMNS, Call, Hop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.model.clients import Clients
    from simulator.model.connection import Connection
    from simulator.model.dialer import Dialer
    from simulator.scenario.schema import Scenario

#: The number under which the balancer is dialed.
BALANCER: Final = 0
_dial_row: Final = Struct(f"<{len(DIAL_COLUMNS)}q").pack
_refusal_row: Final = Struct(f"<{len(REFUSAL_COLUMNS)}q").pack
_cut_row: Final = Struct(f"<{len(CUT_COLUMNS)}q").pack
_CONNECT: Final = int(Call.CONNECT)


class Door(Protocol):
    """Whoever accepts connections: a balancer's worker, or a sidecar's."""

    def admit(self, connection: Connection, now_ns: int) -> None:
        """A client has connected."""
        ...


def sidecar_addresses(scenario: Scenario) -> tuple[str, ...]:
    """Its addresses toward the balancer, by index; none without a sidecar."""
    if scenario.sidecar is None:
        return ()
    return source_addresses(scenario.sidecar.source, SIDECAR_PREFIX) or (ROUTED,)


class Sidecar:
    """One worker of the sidecar.

    Args:
        scenario: whose; it has a sidecar.
        index: which worker.
        dialer: its source ports.
        clients: told when a client cannot be served.
        doors: workers of the balancer.
        choose: which of these accepts the next connection.

    Attributes:
        counts: for `roles.jsonl`.
        dial_errors: failed connects, by call and error.
    """

    def __init__(
        self,
        scenario: Scenario,
        index: int,
        dialer: Dialer,
        clients: Clients,
        doors: Sequence[Door],
        choose: Callable[[], int],
    ) -> None:
        self.index = index
        self._dialer = dialer
        self._clients = clients
        self._doors = doors
        self._choose = choose
        self._far = [int(IPv4Address(one)) for one in client_addresses(scenario)]
        self._near = [int(IPv4Address(one)) for one in sidecar_addresses(scenario)]
        self._rows = {
            name: bytearray() for name in ("sidecar-dials", "sidecar-refusals", "sidecar-cuts")
        }
        self.counts = {"accepted": 0, "dialed": 0, "retries": 0, "refused": 0, "idle_closed": 0}
        self.dial_errors: Counter[tuple[int, int]] = Counter()

    def admit(self, connection: Connection, now_ns: int) -> None:
        """A client has connected: go on to the balancer."""
        self.counts["accepted"] += 1
        dialer = self._dialer
        group = dialer.dial(BALANCER, now_ns)
        call, error = (_CONNECT, 0) if group is not None else dialer.no_port
        port = dialer.last_port if dialer.tells_port else 0
        row = (now_ns, 0, BALANCER, dialer.last_source, port, error, call)
        self._rows["sidecar-dials"] += _dial_row(*row)
        if group is None:
            self._refuse(connection, now_ns, (call, error))
            return
        self.counts["dialed"] += 1
        connection.sidecar = self
        connection.middle, connection.middle_port = group, dialer.last_port
        self._doors[self._choose()].admit(connection, now_ns)

    def _refuse(self, connection: Connection, now_ns: int, why: tuple[int, int]) -> None:
        self.dial_errors[why] += 1
        self.counts["refused"] += 1
        client = (self._far[connection.group.source], connection.port)
        cause = (*why, int(Hop.SIDECAR_BALANCER), -1)
        self._rows["sidecar-refusals"] += _refusal_row(now_ns, now_ns, *client, *cause)
        self._clients.reset(connection, now_ns)

    def cut(self, connection: Connection, now_ns: int) -> None:
        """The balancer reset a connection, and the sidecar passes that on."""
        assert connection.middle is not None
        client = (self._far[connection.group.source], connection.port)
        near = (self._near[connection.middle.source], connection.middle_port)
        accepted_ns = connection.begun_ns
        self._rows["sidecar-cuts"] += _cut_row(now_ns, accepted_ns, *client, *near)

    def take_rows(self) -> list[tuple[str, int, bytes]]:
        """Rows since the last call, as (stream, worker, bytes)."""
        found = [(name, self.index, bytes(rows)) for name, rows in self._rows.items() if rows]
        for rows in self._rows.values():
            rows.clear()
        return found
