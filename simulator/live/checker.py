"""Active health checks: a connect to each backend in turn, closed as soon as it is known.

A check takes its source port like any connection, from the same dialer, so that its price is real:
closed by FIN, its tuple stays in TIME_WAIT, and n checkers with one check a second hold n times
TIME_WAIT tuples toward each backend for nothing but the question. Closed by reset it holds none.

That no port can be had says nothing about a backend: such a check is counted and not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.live.reactor import EPOLLOUT
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from simulator.live.dialer import Dialer
    from simulator.live.reactor import Reactor

_FINEST_S: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """How backends are checked.

    Attributes:
        every_ns: time between two checks of one backend.
        timeout_ns: longest wait for a connect.
        resets: whether a check ends by RST instead of FIN.
    """

    every_ns: int
    timeout_ns: int
    resets: bool = False


@dataclass(slots=True, eq=False)
class CheckCounts:
    """What checks cost and found so far.

    Attributes:
        begun: connects begun; each took a tuple.
        failed: those that found no backend.
        without_port: those for which no port or descriptor was left.
    """

    begun: int = 0
    failed: int = 0
    without_port: int = 0


class Checker:
    """Checks backends in turn, evenly spread over the interval.

    Args:
        loop: whose timer paces it.
        reactor: tells when a connect is through.
        dialer: opens the connections.
        settings: how often and how long.
        told: called with a backend's id and whether it answered.
        discard: takes a descriptor that is to be closed after the batch, and whether by RST.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        dialer: Dialer,
        settings: CheckSettings,
        told: Callable[[int, bool], None],
        discard: Callable[[int, bool], None],
    ) -> None:
        self.counts = CheckCounts()
        self._loop = loop
        self._reactor = reactor
        self._dialer = dialer
        self._settings = settings
        self._told = told
        self._discard = discard
        self._destination: dict[int, int] = {}
        self._turn: list[int] = []
        self._under_way: dict[int, tuple[int, int]] = {}  # fd -> backend, deadline; oldest first
        self._next_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    def insert(self, backend_id: int, destination: int) -> None:
        """Check this backend from now on, at this destination of the dialer."""
        if backend_id not in self._destination:
            self._turn.append(backend_id)
        self._destination[backend_id] = destination
        if self._timer is None:
            self._next_ns = monotonic_ns()
            self._schedule()

    def remove(self, backend_id: int) -> None:
        """Check it no more."""
        if self._destination.pop(backend_id, None) is not None:
            self._turn.remove(backend_id)

    def stop(self) -> None:
        """End the checks under way, and all to come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for fd in list(self._under_way):
            self._end(fd)
        self._turn.clear()
        self._destination.clear()

    def _gap_ns(self) -> int:
        return max(1, self._settings.every_ns // max(1, len(self._turn)))

    def _schedule(self) -> None:
        wait_s = max(_FINEST_S, self._gap_ns() / NS_PER_S)
        self._timer = self._loop.call_later(min(wait_s, 1.0), self._work)

    def _work(self) -> None:
        now_ns = monotonic_ns()
        self._give_up(now_ns)
        # After a pause of the process the rounds that were missed are not made up for.
        self._next_ns = max(self._next_ns, now_ns - self._settings.every_ns)
        while self._turn and self._next_ns <= now_ns:
            self._next_ns += self._gap_ns()
            backend = self._turn.pop(0)
            self._turn.append(backend)
            self._check(backend, now_ns)
        self._schedule()

    def _check(self, backend: int, now_ns: int) -> None:
        fd = self._dialer.dial(self._destination[backend])
        if fd < 0:
            self.counts.without_port += 1
            return
        self.counts.begun += 1
        self._under_way[fd] = (backend, now_ns + self._settings.timeout_ns)
        self._reactor.add(fd, EPOLLOUT, self._on_event)

    def _on_event(self, fd: int, _events: int) -> None:
        backend = self._under_way[fd][0]
        is_there = not self._dialer.take_error(fd)
        self._end(fd)
        self._tell(backend, is_there)

    def _give_up(self, now_ns: int) -> None:
        late = []
        for fd, (backend, deadline_ns) in self._under_way.items():
            if deadline_ns > now_ns:
                break
            late.append((fd, backend))
        for fd, backend in late:
            self._end(fd)
            self._tell(backend, False)

    def _tell(self, backend: int, is_there: bool) -> None:
        self.counts.failed += not is_there
        if backend in self._destination:
            self._told(backend, is_there)

    def _end(self, fd: int) -> None:
        del self._under_way[fd]
        self._reactor.remove(fd)
        self._discard(fd, self._settings.resets)
