"""The logbook: what the conductor itself writes down of a run, its events and its leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.clock import monotonic_ns
from simulator.records import NOT_YET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from simulator.engine import Recorder
    from simulator.live.roster import Member

_CONFIG_NAMES: Final = {"haproxy": "haproxy.cfg", "nginx": "nginx.conf"}


class Logbook:
    """Writes events and leases through a recorder, with times that count from the run's start.

    Attributes:
        t0_ns: monotonic time of the start; 0 until it is known.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.t0_ns = 0

    def event(self, event: str, /, *, t_ns: int | None = None, **data: object) -> None:
        """Write one line of events.

        Args:
            event: its name.
            t_ns: its time since the start; now when not given, -1 before the start is known.
            data: what goes with it, as JSON values.
        """
        if t_ns is None:
            t_ns = monotonic_ns() - self.t0_ns if self.t0_ns else NOT_YET
        self._recorder.line("events", {"t_ns": t_ns, "event": event, **data})

    def driver(self, folder: Path, head: Mapping[str, Any], text: bytes) -> None:
        """Keep a foreign balancer's configuration beside the records, and its name and version.

        Args:
            folder: the run's folder.
            head: ``driver``, ``version`` and ``pid``.
            text: the configuration, whole.
        """
        place = f"balancer/{_CONFIG_NAMES[head['driver']]}"
        (folder / "balancer").mkdir(exist_ok=True)
        (folder / place).write_bytes(text)
        self.event("driver", t_ns=NOT_YET, **head, config=place)

    def begin_leases(self, backends: Iterable[Member], allocator: str) -> None:
        """Write every lease as held, so that a run that is killed still says who held what."""
        for member in backends:
            self._leases(member, allocator, None)

    def end_leases(self, backends: Iterable[Member], allocator: str) -> None:
        """Write every lease once more with its end: listeners closed, or their process lost."""
        for member in backends:
            released = member.lost_ns if member.done is None else member.done["released_ns"]
            if released is not None:
                self._leases(member, allocator, released - self.t0_ns)

    def _leases(self, member: Member, allocator: str, to_ns: int | None) -> None:
        if member.ready is None:
            return
        for row in member.ready["leases"]:
            self.lease(row, allocator, to_ns)

    def lease(self, row: Sequence[Any], allocator: str, to_ns: int | None) -> None:
        """Write one lease, as held or with its end.

        Args:
            row: backend, address, port, monotonic beginning in ns, lost races.
            allocator: who picked the port.
            to_ns: its end since the start of the run; None while it is held.
        """
        backend, address, port, from_ns, lost = row
        record = {
            "backend": backend,
            "address": address,
            "port": port,
            "allocator": allocator,
            "from_ns": from_ns - self.t0_ns,
            "to_ns": to_ns,
            "lost_races": lost,
        }
        self._recorder.line("leases", record)
