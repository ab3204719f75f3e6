"""What a foreign balancer's own log tells of connections that it could not serve, as our records.

Only failures are told: a dial that succeeded first time leaves no line, and so no row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Final

from simulator.records import DIAL_COLUMNS, REFUSAL_COLUMNS, Call, Hop, error_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_dial_row: Final = Struct(f"<{len(DIAL_COLUMNS)}q").pack
_refusal_row: Final = Struct(f"<{len(REFUSAL_COLUMNS)}q").pack
#: A line may be read so much later than it was written, on a busy machine; the moment of accept is
#: told as early as it can have been, since measurement only asks that the client be not older.
_READ_LATE_NS: Final = 1_000_000_000
_MOST_LINE: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDial:
    """A connect toward a backend that failed; backend -1 = not told."""

    call: Call
    error: int
    backend: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unserved:
    """A client that no backend could be had for.

    Attributes:
        address, port: the client's.
        took_ns: from its accept to the end.
        dial: what failed last.
    """

    address: str
    port: int
    took_ns: int
    dial: FailedDial


class Lines:
    """Bytes in, whole lines out; a line without an end is bounded."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Add what was read; the lines that are now whole."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_MOST_LINE:]
        for line in whole:
            yield line.decode("utf-8", "replace")


class DriverLog:
    """Rows of failed dials and refusals since they were last taken, and counts of what failed."""

    def __init__(self) -> None:
        self.dial_errors: Counter[tuple[int, int]] = Counter()
        self.refused = 0
        self._dials = bytearray()
        self._refusals = bytearray()

    def failed(self, now_ns: int, dial: FailedDial) -> None:
        """A connect failed; ``now_ns`` counts from the run's start."""
        self.dial_errors[dial.call, dial.error] += 1
        self._dials += _dial_row(now_ns, 0, dial.backend, 0, 0, dial.error, dial.call)

    def unserved(self, now_ns: int, client: Unserved) -> None:
        """A client was sent away."""
        self.refused += 1
        dial = client.dial
        self._refusals += _refusal_row(
            now_ns,
            max(0, now_ns - client.took_ns - _READ_LATE_NS),
            int(IPv4Address(client.address)),
            client.port,
            dial.call,
            dial.error,
            Hop.BALANCER_BACKEND,
            dial.backend,
        )

    def errors_by_name(self) -> dict[str, int]:
        """``call/ERRNO`` -> failed connects."""
        return {
            f"{Call(call).name.lower()}/{error_name(code)}": number
            for (call, code), number in self.dial_errors.items()
        }

    def take_dials(self) -> bytes:
        """Rows of DIAL_COLUMNS since the last call."""
        rows, self._dials = self._dials, bytearray()
        return bytes(rows)

    def take_refusals(self) -> bytes:
        """Rows of REFUSAL_COLUMNS since the last call."""
        rows, self._refusals = self._refusals, bytearray()
        return bytes(rows)
