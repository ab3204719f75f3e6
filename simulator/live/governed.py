"""A relay that looks after its backends: health, caps, queue, slow start, retry budget, old counts.

The plain relay (`relay.py`) does none of this and pays for none of it. This one decides with the
rules of `simulator.balancing` and acts on what they say, at the same five moments of a connection:
it is taken up, a backend is picked, a connect has its result, nobody can serve it, it has ended.

A client that waits is held by the relay: it is accepted and watched for its end, and not read. It
is served in order as soon as a connection has ended, or a port may be free again; newcomers never
overtake it.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.balancing.aged_load import AgedLoad
from simulator.balancing.health import Health, HealthSettings
from simulator.balancing.membership import Insert, Remove
from simulator.balancing.policies.peak_ewma import PeakEwma
from simulator.balancing.retry_budget import RetryBudget
from simulator.balancing.slow_start import SlowStart
from simulator.balancing.waiting import WaitingRoom
from simulator.clock import monotonic_ns
from simulator.live.checker import Checker, CheckSettings
from simulator.live.pairs import CONNECTING, NOBODY, WATCHED
from simulator.live.reactor import EPOLLERR, EPOLLHUP, READS
from simulator.live.relay import Relay, RelaySettings
from simulator.live.relay_log import RelayLog
from simulator.records import Call, Ending

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable, Collection, Sequence

    from simulator.balancing.health import Change
    from simulator.balancing.load import Load
    from simulator.balancing.policies.policy import KeyedPolicy, Policy
    from simulator.live.care import CareSettings
    from simulator.live.dialer import Dialer
    from simulator.seeds import Random

#: No port could be had; another moment may have one.
_NO_PORT: Final = frozenset(
    {
        (int(Call.CONNECT), errno.EADDRNOTAVAIL),
        (int(Call.BIND), errno.EADDRINUSE),
        (int(Call.BIND), int(Ending.NO_PORT)),
    }
)
#: What only the backend can be the reason for.
_BACKEND_FAILED: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ETIMEDOUT,
        int(Ending.TIMEOUT),
    }
)
_FULL: Final = (int(Call.PICK), int(Ending.FULL), NOBODY)
#: How often a queue is looked after; also the pause after a connect that found no port, since a
#: connect that fails for want of one takes the kernel 1.5 ms.
TURN_S: Final = 0.01
_PORT_PAUSE_NS: Final = 5_000_000
#: Picks of new backends that may be turned down in a row.
_REDRAWS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CareStatistics:
    """What looking after backends came to so far; `waiting` and `out` are of now.

    Attributes:
        checks: connects of health checks; each took a tuple like any other.
        checks_failed: those that found no backend.
        checks_without_port: those that found no port.
        ejections: backends left out for failed connects.
        panics: how often too few backends were fit.
        out: backends out of rotation.
        queued: connections that had to wait.
        queue_timeouts: those that waited in vain.
        queue_full: those that found no room to wait.
        waiting: those that wait now.
        retries_denied: retries that the budget did not pay for.
    """

    checks: int
    checks_failed: int
    checks_without_port: int
    ejections: int
    panics: int
    out: int
    queued: int
    queue_timeouts: int
    queue_full: int
    waiting: int
    retries_denied: int


class _TellingLog(RelayLog):
    """A log that passes on the result of each connect."""

    def __init__(self, told: Callable[[int, int], None]) -> None:
        super().__init__()
        self._told = told

    def dialed(self, dialer: Dialer, t0_ns: int, backend: int) -> None:
        """A connect whose result is known at once."""
        super().dialed(dialer, t0_ns, backend)
        self._told(backend, dialer.last_error)

    def ended(self, fd: int, backend: int, call: int, error: int) -> None:
        """A connect that was on its way has its result."""
        super().ended(fd, backend, call, error)
        self._told(backend, error)


class GovernedRelay(Relay):
    """A relay with everything of `CareSettings`, and policies that need more than counts.

    Args:
        loop: as for `Relay`, like all up to `settings`.
        listener: see there.
        dialer: see there.
        policy: see there; one that goes by keys is given them, peak EWMA its latencies.
        load: see there; the true counts.
        settings: see there.
        care: what to do for backends.
        generator: where slow start draws from.
        key: what a client's key is made of: ``address``, ``connection``, or "" for no key.
    """

    __slots__ = (
        "_aged",
        "_awaited",
        "_budget",
        "_care",
        "_checker",
        "_client_now",
        "_counts",
        "_ewma",
        "_freed",
        "_full",
        "_health",
        "_key",
        "_keyed",
        "_no_port_until_ns",
        "_patience",
        "_ramp",
        "_room",
        "_rule",
        "_serving",
        "_tick",
        "_turned_away",
        "_unsent",
        "_unsent_now",
    )

    def __init__(  # noqa: PLR0913 - those of the plain relay and three more
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        dialer: Dialer,
        policy: Policy,
        load: Load,
        settings: RelaySettings,
        *,
        care: CareSettings,
        generator: Random,
        key: str = "",
    ) -> None:
        aged = AgedLoad(care.load_age_ns, monotonic_ns, load) if care.load_age_ns else None
        super().__init__(loop, listener, dialer, policy, aged or load, settings)
        self._aged = aged
        self._care = care
        self._log = _TellingLog(self._on_result)
        self._pick = self._choose
        self._rule: Policy = policy
        self._keyed: KeyedPolicy | None = policy if key else None  # type: ignore[assignment]
        self._key = key
        self._ewma = policy if isinstance(policy, PeakEwma) else None
        self._awaited: dict[int, int] = {}  # upstream -> when dialed, until its first byte
        self._health = Health(
            HealthSettings(
                fall=care.check_fall,
                rise=care.check_rise,
                failures=care.eject_after,
                eject_ns=care.eject_ns,
                panic=care.panic,
            )
        )
        self._ramp = SlowStart(max(1, care.slow_start_ns), generator)
        self._budget = (
            RetryBudget(care.retry_share, care.retry_reserve) if care.retry_share else None
        )
        self._room = WaitingRoom(care.queue_size, care.queue_timeout_ns)
        self._unsent: dict[int, bytes] = {}  # of those that wait
        self._patience: dict[int, tuple[int, int, int]] = {}  # why each waits
        self._serving: tuple[int, int] | None = None  # whose turn it is, until when it may wait
        self._client_now = NOBODY  # for whom a backend is looked for, and what it has sent
        self._unsent_now = b""
        self._full: set[int] = set()
        self._turned_away = False  # the last pick found every backend at its cap
        self._freed = False
        self._no_port_until_ns = 0
        self._tick: asyncio.TimerHandle | None = None
        self._counts = {"queued": 0, "timeouts": 0, "no_room": 0, "denied": 0}
        self._checker = self._new_checker(loop) if care.check_every_ns else None

    def _new_checker(self, loop: asyncio.AbstractEventLoop) -> Checker:
        care = self._care
        return Checker(
            loop,
            self._reactor,
            self._dialer,
            CheckSettings(
                every_ns=care.check_every_ns,
                timeout_ns=care.check_timeout_ns,
                resets=care.check_resets,
            ),
            self._on_checked,
            self._discard,
        )

    # Who is in rotation.

    def insert(self, backend_id: int, address: str, port: int) -> None:
        """A backend may be picked from now on; one that comes during a run starts slowly."""
        super().insert(backend_id, address, port)
        self._act(self._health.insert(backend_id))
        if self._care.slow_start_ns and self._accepted:
            self._ramp.begin(backend_id, monotonic_ns())
        if self._checker is not None:
            self._checker.insert(backend_id, self._destination[backend_id])

    def remove(self, backend_id: int) -> None:
        """A backend is not picked any more, and not checked."""
        super().remove(backend_id)
        self._ramp.end(backend_id)
        if self._checker is not None:
            self._checker.remove(backend_id)
        self._act(self._health.remove(backend_id))

    def _act(self, change: Change) -> None:
        """Put backends into rotation and take them out of it."""
        for backend in change.take_out:
            self._membership.apply(Remove(backend_id=backend))
            self._load.remove(backend)
        for backend in change.put_in:
            self._membership.apply(Insert(backend=self._membership.backends[backend]))
            self._load.insert(backend)
            if self._care.slow_start_ns:
                self._ramp.begin(backend, monotonic_ns())
            self._freed = True
        self._keep_turning()

    def _on_checked(self, backend: int, is_there: bool) -> None:
        self._act(self._health.checked(backend, is_there))

    def _discard(self, fd: int, resets: bool) -> None:
        """Close a check's descriptor once the batch is through, or now when there is none."""
        self._leaving.append((fd, resets))
        self._loop.call_soon(self._after_batch_if_open)

    def _after_batch_if_open(self) -> None:
        if self._leaving:
            self._after_batch()

    def _on_result(self, backend: int, error: int) -> None:
        """A connect has its result (told by the log)."""
        if not error:
            self._health.connected(backend)
        elif error in _BACKEND_FAILED:
            now_ns = monotonic_ns()
            if self._ewma is not None:
                self._ewma.observe(backend, self._settings.connect_timeout_ns, now_ns)
            self._act(self._health.failed(backend, now_ns))

    # A backend is picked.

    def _choose(self, eligible: Sequence[int], load: Load, tried: Collection[int]) -> int:
        """The policy's pick among those with room, if a retry may be made at all."""
        self._turned_away = False
        if tried and self._budget is not None and not self._budget.take():
            self._counts["denied"] += 1
            return NOBODY
        seen = load if self._aged is None else self._aged.catch_up(monotonic_ns())
        exclude: Collection[int] = self._full
        if tried:
            exclude = self._full.union(tried)
        backend = self._ask(eligible, seen, exclude)
        if len(self._ramp) and backend >= 0:
            backend = self._warm(eligible, seen, exclude, backend)
        if backend < 0 and self._full:
            self._turned_away = any(one in self._full for one in eligible)
        return backend

    def _ask(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        if self._keyed is None:
            return self._rule.pick(eligible, load, exclude)
        return self._keyed.pick(eligible, load, exclude, self._client_key)

    def _warm(
        self, eligible: Sequence[int], load: Load, exclude: Collection[int], backend: int
    ) -> int:
        """Another one where a new backend's pick does not stand; the first where none does."""
        now_ns, first, left_out = monotonic_ns(), backend, set(exclude)
        for _ in range(_REDRAWS):
            if self._ramp.stands(backend, now_ns):
                return backend
            left_out.add(backend)
            backend = self._ask(eligible, load, left_out)
            if backend < 0:
                return first
        return backend

    @property
    def _client_key(self) -> int:
        address_and_port = self._address[self._client_now]
        return address_and_port if self._key == "connection" else address_and_port >> 16

    # A connection's moments.

    def _admit(self, client: int, address: tuple[str, int]) -> None:
        if self._budget is not None:
            self._budget.pay_in()
        super()._admit(client, address)

    def _connect(
        self,
        client: int,
        unsent: bytes,
        failure: tuple[int, int, int] = (Call.PICK, Ending.NO_BACKEND, NOBODY),
    ) -> None:
        if self._room and self._serving is None and failure[0] == Call.PICK:
            if not self._wait(client, unsent, _FULL):
                super()._refuse(client, _FULL)
            return
        self._client_now, self._unsent_now = client, unsent
        super()._connect(client, unsent, failure)

    def _first_write(self, client: int, upstream: int, unsent: bytes) -> None:
        backend, cap = self._backend[upstream], self._care.cap
        if cap and self._load.open[backend] >= cap:
            self._full.add(backend)
        if self._ewma is not None:
            self._awaited[upstream] = self._active_ns[upstream]
        super()._first_write(client, upstream, unsent)

    def _on_event(self, fd: int, events: int) -> None:
        if fd in self._awaited and not self._flags[fd] & CONNECTING:
            self._observe(fd, events)
        super()._on_event(fd, events)

    def _observe(self, upstream: int, events: int) -> None:
        """The first sign of life: how long a backend took to answer."""
        assert self._ewma is not None
        now_ns, began_ns = self._reactor.now_ns, self._awaited.pop(upstream)
        took_ns = max(0, now_ns - began_ns)
        if events & EPOLLERR:  # a reset is no quick answer
            took_ns = max(took_ns, self._settings.connect_timeout_ns)
        self._ewma.observe(self._backend[upstream], took_ns, now_ns)

    def _refuse(self, client: int, failure: tuple[int, int, int]) -> None:
        """Let it wait, where waiting may help; refuse it otherwise."""
        if self._turned_away:
            self._turned_away = False
            failure = _FULL
        elif self._care.queues_for_ports and failure[:2] in _NO_PORT:
            self._no_port_until_ns = monotonic_ns() + _PORT_PAUSE_NS
        else:
            super()._refuse(client, failure)
            return
        if not self._wait(client, self._unsent_now, failure):
            super()._refuse(client, failure)

    def _drop_upstream(self, upstream: int, *, reset: bool) -> None:
        super()._drop_upstream(upstream, reset=reset)
        self._awaited.pop(upstream, None)
        backend = self._backend[upstream]
        if backend in self._full and self._load.open[backend] < self._care.cap:
            self._full.discard(backend)
        self._freed = True

    def _end(
        self, client: int, *, reset_client: bool = False, reset_upstream: bool = False
    ) -> None:
        if client in self._room:
            self._room.leave(client)
            self._forget_waiting(client)
        super()._end(client, reset_client=reset_client, reset_upstream=reset_upstream)

    # Waiting.

    def _wait(self, client: int, unsent: bytes, why: tuple[int, int, int]) -> bool:
        """Let a client wait; whether there was room."""
        if self._serving is not None and self._serving[0] == client:
            self._room.put_back(*self._serving)
        elif self._room.enter(client, monotonic_ns()):
            self._counts["queued"] += 1
        else:
            self._counts["no_room"] += 1
            return False
        self._unsent[client] = unsent
        self._patience[client] = why
        self._tried.pop(client, None)
        # Like a connect on its way: its events go to `_on_rare_event`, and it is not read.
        self._flags[client] |= CONNECTING
        if not self._flags[client] & WATCHED:
            self._flags[client] |= WATCHED
            self._reactor.watch(client, READS)
        self._keep_turning()
        return True

    def _on_rare_event(self, fd: int, events: int) -> None:
        if fd not in self._room:
            super()._on_rare_event(fd, events)
        elif events & (EPOLLERR | EPOLLHUP):
            self._resets += 1
            self._end(fd)

    def _forget_waiting(self, client: int) -> tuple[bytes, tuple[int, int, int]]:
        self._flags[client] &= ~CONNECTING
        return self._unsent.pop(client), self._patience.pop(client)

    def _serve_waiting(self) -> None:
        """Serve those who wait, in order, until one could not be served."""
        while self._room and monotonic_ns() >= self._no_port_until_ns:
            self._serving = client, _ = self._room.take_first()
            unsent, _why = self._forget_waiting(client)
            try:
                self._connect(client, unsent)
            finally:
                self._serving = None
            if client in self._room:
                return

    def _after_batch(self) -> None:
        super()._after_batch()
        if self._freed:
            self._freed = False
            if self._room:
                self._serve_waiting()
                super()._after_batch()

    def _keep_turning(self) -> None:
        if self._tick is None and (self._room or self._health.next_ns() is not None):
            self._tick = self._loop.call_later(TURN_S, self._turn)

    def _turn(self) -> None:
        """Look after those who wait and those who are left out, a hundred times a second."""
        self._tick = None
        now_ns = monotonic_ns()
        self._act(self._health.advance(now_ns))
        for client in self._room.out_of_patience(now_ns):
            _, why = self._forget_waiting(client)
            self._counts["timeouts"] += 1
            super()._refuse(client, why)
        self._serve_waiting()
        super()._after_batch()
        self._keep_turning()

    def close(self) -> None:
        """Stop checking, then as `Relay.close`."""
        if self._checker is not None:
            self._checker.stop()
        super().close()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def care_statistics(self) -> CareStatistics:
        """Counts so far."""
        checks = self._checker.counts if self._checker is not None else None
        return CareStatistics(
            checks=checks.begun if checks else 0,
            checks_failed=checks.failed if checks else 0,
            checks_without_port=checks.without_port if checks else 0,
            ejections=self._health.ejections,
            panics=self._health.panics,
            out=len(self._membership.backends) - len(self._membership.eligible),
            queued=self._counts["queued"],
            queue_timeouts=self._counts["timeouts"],
            queue_full=self._counts["no_room"],
            waiting=len(self._room),
            retries_denied=self._counts["denied"],
        )
