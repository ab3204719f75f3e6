"""What a relay worker writes down: settings in, rows and counts out.

Rows are packed little-endian int64 in the column order of `records.DIAL_COLUMNS` and
`records.REFUSAL_COLUMNS`, ready to be appended to a file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Final

from simulator.records import DIAL_COLUMNS, REFUSAL_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.live.dialer import Dialer

_dial_row: Final = Struct(f"<{len(DIAL_COLUMNS)}q").pack
_refusal_row: Final = Struct(f"<{len(REFUSAL_COLUMNS)}q").pack


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """How a relay treats its connections (scenario `balancer`).

    Attributes:
        connect_timeout_ns: longest wait for a backend to accept.
        retries: further backends tried when a connect fails.
        idle_timeout_ns: a connection silent for so long is closed by the relay.
        buffer_bytes: most bytes held for one direction of one connection.
        half_close: whether the end of one side is passed on and that of the other awaited, or ends
            both.
    """

    connect_timeout_ns: int = 3_000_000_000
    retries: int = 1
    idle_timeout_ns: int = 60_000_000_000
    buffer_bytes: int = 65_536
    half_close: bool = True

    def __post_init__(self) -> None:
        if min(self.connect_timeout_ns, self.idle_timeout_ns, self.buffer_bytes) < 1:
            raise ValueError("timeouts and buffer must be above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStatistics:
    """What a relay did so far; all but `active` and `buffered_bytes` only grow.

    Attributes:
        accepted: client connections taken from the listener.
        active: those not ended yet.
        dialed: connects begun toward backends, retries included.
        dial_errors: failed connects by (Call, errno or Ending).
        retries: connects that were a second try or later.
        refused: clients that no backend could be had for.
        idle_closed: connections ended for silence.
        connect_timeouts: connects given up.
        accept_errors: failed accepts by errno.
        resets: connections ended by a reset from one side, passed on to the other.
        bytes_up: bytes read from clients.
        bytes_down: bytes read from backends.
        picks: times that each backend was picked, by id.
        buffered_bytes: bytes read and not yet written.
    """

    accepted: int
    active: int
    dialed: int
    dial_errors: Mapping[tuple[int, int], int]
    retries: int
    refused: int
    idle_closed: int
    connect_timeouts: int
    accept_errors: Mapping[int, int]
    resets: int
    bytes_up: int
    bytes_down: int
    picks: Mapping[int, int]
    buffered_bytes: int


class RelayLog:
    """Rows of dials and refusals since they were last taken, and the counts of what failed."""

    def __init__(self) -> None:
        self.dial_errors: Counter[tuple[int, int]] = Counter()
        self.accept_errors: Counter[int] = Counter()
        self._dials = bytearray()
        self._refusals = bytearray()
        self._under_way: dict[int, tuple[int, int, int, int]] = {}

    def dialed(self, dialer: Dialer, t0_ns: int, backend: int) -> None:
        """A connect whose result is known at once."""
        error = dialer.last_error
        if error:
            self.dial_errors[dialer.last_call, error] += 1
        self._dials.extend(
            _dial_row(
                dialer.last_end_ns - t0_ns,
                dialer.last_call_ns,
                backend,
                dialer.last_source,
                dialer.last_port,
                error,
                dialer.last_call,
            )
        )

    def extend(self, rows: bytes | memoryview) -> None:
        """Rows of connects that have succeeded, packed by somebody else."""
        self._dials.extend(rows)

    def begun(self, dialer: Dialer, t0_ns: int, fd: int) -> None:
        """A connect still on its way; `ended` completes the row."""
        self._under_way[fd] = (
            dialer.last_end_ns - t0_ns,
            dialer.last_call_ns,
            dialer.last_source,
            dialer.last_port,
        )

    def ended(self, fd: int, backend: int, call: int, error: int) -> None:
        """The connect that was on its way has its result; error 0 is a connection."""
        t_ns, call_ns, source, port = self._under_way.pop(fd)
        if error:
            self.dial_errors[call, error] += 1
        self._dials.extend(_dial_row(t_ns, call_ns, backend, source, port, error, call))

    def refused(
        self, moments: tuple[int, int], client: tuple[str, int], failure: tuple[int, int, int, int]
    ) -> None:
        """A client that could not be served.

        Args:
            moments: when the relay gave up and when it had accepted, ns since t0.
            client: its address and port.
            failure: call, error, hop and backend of the last attempt.
        """
        address, port = client
        self._refusals.extend(_refusal_row(*moments, int(IPv4Address(address)), port, *failure))

    def take_dials(self) -> bytes:
        """Rows of DIAL_COLUMNS since the last call."""
        rows, self._dials = self._dials, bytearray()
        return bytes(rows)

    def take_refusals(self) -> bytes:
        """Rows of REFUSAL_COLUMNS since the last call."""
        rows, self._refusals = self._refusals, bytearray()
        return bytes(rows)
