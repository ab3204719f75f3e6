"""Health checks of the model: a connect to each backend in turn, by the rules of `live/checker.py`.

A check takes its source port from the worker's own dialer, so that it costs tuples like any other
connection; closed by FIN its tuple waits, closed by reset it is free at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.model.backends import DROPPED, REFUSED
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.model.agenda import Agenda
    from simulator.model.backends import Backends
    from simulator.model.dialer import Dialer
    from simulator.model.directory import Directory
    from simulator.model.tuples import Group
    from simulator.scenario.care import HealthChecks

#: The live checker's timer is no finer than this, and no coarser than that.
_FINEST_NS: Final = 5_000_000
_COARSEST_NS: Final = NS_PER_S


class Checker:
    """Checks backends in turn, evenly spread over the interval.

    Args:
        checks: how often, how long, and how they end.
        agenda: when.
        dialer: source ports.
        directory: who is where.
        backends: what a check meets.
        told: called with a backend's id and whether it was there.

    Attributes:
        begun, failed, without_port: as `live.checker.CheckCounts` has them.
    """

    def __init__(
        self,
        checks: HealthChecks,
        agenda: Agenda,
        dialer: Dialer,
        directory: Directory,
        backends: Backends,
        told: Callable[[int, bool], None],
    ) -> None:
        self._every_ns = checks.every
        self._timeout_ns = checks.timeout
        self._waits = checks.close == "fin"
        self._agenda = agenda
        self._dialer = dialer
        self._directory = directory
        self._backends = backends
        self._told = told
        self._destination: dict[int, int] = {}
        self._turn: list[int] = []
        self._next_ns = 0
        self._began = False
        self.begun = self.failed = self.without_port = 0

    def insert(self, backend: int, destination: int) -> None:
        """Check this backend from now on."""
        if backend not in self._destination:
            self._turn.append(backend)
        self._destination[backend] = destination
        if not self._began:
            self._began = True
            self._next_ns = self._agenda.now_ns
            self._schedule()

    def remove(self, backend: int) -> None:
        """Check it no more."""
        if self._destination.pop(backend, None) is not None:
            self._turn.remove(backend)

    def _gap_ns(self) -> int:
        return max(1, self._every_ns // max(1, len(self._turn)))

    def _schedule(self) -> None:
        wait_ns = min(max(_FINEST_NS, self._gap_ns()), _COARSEST_NS)
        self._agenda.at(self._agenda.now_ns + wait_ns, self._work, None, None)

    def _work(self, _one: object, _two: object) -> None:
        now_ns = self._agenda.now_ns
        while self._turn and self._next_ns <= now_ns:
            self._next_ns += self._gap_ns()
            backend = self._turn.pop(0)
            self._turn.append(backend)
            self._check(backend, now_ns)
        self._schedule()

    def _check(self, backend: int, now_ns: int) -> None:
        dialer = self._dialer
        destination = self._destination[backend]
        group = dialer.dial(destination, now_ns)
        if group is None:
            self.without_port += 1
            return
        self.begun += 1
        found = self._backends.check(self._directory.at(destination))
        if found == DROPPED:
            what = (backend, group, dialer.last_port)
            self._agenda.at(now_ns + self._timeout_ns, self._give_up, what, None)
            return
        is_there = found != REFUSED
        group.end(dialer.last_port, now_ns, waits=is_there and self._waits)
        self._tell(backend, is_there)

    def _give_up(self, what: tuple[int, Group, int], _: object) -> None:
        """Nothing came back in time; a connect that was never answered leaves nothing behind."""
        backend, group, port = what
        group.end(port, self._agenda.now_ns, waits=False)
        self._tell(backend, False)

    def _tell(self, backend: int, is_there: bool) -> None:
        self.failed += not is_there
        if backend in self._destination:
            self._told(backend, is_there)
