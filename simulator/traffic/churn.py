"""Which backends leave and come back, and when: drawn from the seed before anything runs; pure.

A departure picks uniformly among the backends that serve at that moment, so what is planned is a
small simulation of presence: who is away cannot leave, and who is not wanted by the schedule does
not come back. Streams are named apart from all others, so churn never shifts the connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, Literal

from simulator.seeds import pure_random
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from simulator.scenario.churn import Churn, Departure
    from simulator.scenario.schema import Scenario
    from simulator.seeds import Random

#: Order of what falls on one moment: first who returns, then the schedule, then who leaves.
_BACK: Final = 0
_SCALE: Final = 1
_LEAVE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One backend leaves or comes back.

    Attributes:
        t_ns: when, since the start of the run.
        backend: its id.
        action: ``leave`` or ``back``.
        how: ``drain``, ``crash`` or ``hang``; "" for ``back``.
    """

    t_ns: int
    backend: int
    action: Literal["leave", "back"]
    how: str = ""


def first_backends(scenario: Scenario) -> int:
    """How many backends there are at the start: ids from 0 on."""
    churn = scenario.backends.churn
    if churn is not None and churn.scale and churn.scale[0].time == 0:
        return min(churn.scale[0].count, scenario.backends.count)
    return scenario.backends.count


def plan_moves(scenario: Scenario) -> tuple[Move, ...]:
    """All moves of a run in order of time; same scenario and seed, same moves.

    Nobody moves after the last phase. A departure that finds nobody present does not take place.
    """
    churn = scenario.backends.churn
    if churn is None:
        return ()
    return tuple(_Presence(scenario, churn).run())


class _Presence:
    """Who serves, as time goes on."""

    def __init__(self, scenario: Scenario, churn: Churn) -> None:
        self._churn = churn
        self._end_ns = scenario.duration_ns
        self._picks = pure_random(scenario.seed, "churn", "picks")
        self._wanted = first_backends(scenario)
        self._present = list(range(self._wanted))
        self._returning: set[int] = set()
        self._moves: list[Move] = []
        # (time, kind, serial, what): a departure, a count, or the id of who returns.
        self._agenda: list[tuple[int, int, int, Departure | int | None]] = []
        self._serial = 0
        for step in churn.scale:
            self._note(step.time, _SCALE, min(step.count, scenario.backends.count))
        for departure in churn.at:
            self._note(departure.time, _LEAVE, departure)
        if churn.rate is not None:
            stream = pure_random(scenario.seed, "churn", "times")
            for t_ns in _poisson_times(churn.rate, self._end_ns, stream):
                self._note(t_ns, _LEAVE, None)

    def _note(self, t_ns: int, kind: int, what: Departure | int | None) -> None:
        if t_ns < self._end_ns:
            self._serial += 1
            heappush(self._agenda, (t_ns, kind, self._serial, what))

    def run(self) -> list[Move]:
        while self._agenda:
            t_ns, kind, _, what = heappop(self._agenda)
            if kind == _BACK:
                assert isinstance(what, int)
                self._returning.discard(what)
                if what < self._wanted:
                    self._back(t_ns, what)
            elif kind == _SCALE:
                assert isinstance(what, int)
                self._scale(t_ns, what)
            else:
                assert not isinstance(what, int)
                self._depart(t_ns, what)
        return self._moves

    def _back(self, t_ns: int, backend: int) -> None:
        self._present.append(backend)
        self._moves.append(Move(t_ns=t_ns, backend=backend, action="back"))

    def _leave(self, t_ns: int, backend: int, how: str) -> None:
        self._present.remove(backend)
        self._moves.append(Move(t_ns=t_ns, backend=backend, action="leave", how=how))

    def _scale(self, t_ns: int, wanted: int) -> None:
        self._wanted = wanted
        for backend in sorted(self._present):
            if backend >= wanted:
                self._leave(t_ns, backend, "drain")  # whoever scales down does so in order
        away = set(range(wanted)) - set(self._present) - self._returning
        for backend in sorted(away):
            self._back(t_ns, backend)

    def _depart(self, t_ns: int, departure: Departure | None) -> None:
        churn = self._churn
        count = 1 if departure is None else departure.backends
        how = churn.leave if departure is None or departure.leave is None else departure.leave
        away = churn.away if departure is None or departure.away is None else departure.away
        self._present.sort()
        leaving = self._picks.sample(self._present, min(count, len(self._present)))
        for backend in sorted(leaving):
            self._leave(t_ns, backend, how)
            self._returning.add(backend)
            self._note(t_ns + away, _BACK, backend)


def _poisson_times(rate_per_s: float, end_ns: int, stream: Random) -> list[int]:
    """Moments of a Poisson process, ns, ascending."""
    times = []
    t_s = stream.expovariate(rate_per_s)
    while t_s * NS_PER_S < end_ns:
        times.append(int(t_s * NS_PER_S))
        t_s += stream.expovariate(rate_per_s)
    return times
