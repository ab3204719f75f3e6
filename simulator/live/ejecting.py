"""A relay that ejects by answers too: a backend that takes connections and leaves them unanswered.

A connect says little: the kernel finishes handshakes for a backend that hangs. So here a backend is
judged by what comes first on a connection. A byte clears it; a reset, an end while its client still
waits, or a silence longer than `silence` counts as a failed connect does. It is a relay of its own,
since nobody else should pay for watching first bytes.

Source: Envoy, "Outlier detection" (consecutive gateway failures); nginx, `max_fails`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.clock import monotonic_ns
from simulator.live.governed import TURN_S, GovernedRelay
from simulator.live.pairs import CONNECTING, EOF, LIVE, RESET, UPSTREAM
from simulator.live.reactor import EPOLLERR

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.balancing.load import Load
    from simulator.balancing.policies.policy import Policy
    from simulator.live.care import CareSettings
    from simulator.live.dialer import Dialer
    from simulator.live.relay_log import RelaySettings
    from simulator.seeds import Random


class EjectingRelay(GovernedRelay):
    """A `GovernedRelay` whose `care.eject_silence_ns` is above 0; its arguments are the same."""

    __slots__ = ("_unanswered",)

    def __init__(  # noqa: PLR0913 - those of the governed relay
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
        #: Upstream -> when it was dialed, oldest first, until the first byte or the end.
        self._unanswered: dict[int, int] = {}
        super().__init__(
            loop, listener, dialer, policy, load, settings, care=care, generator=generator, key=key
        )

    def _on_result(self, backend: int, error: int) -> None:
        # That it took a connection does not clear a backend here: an answer does.
        if error:
            super()._on_result(backend, error)

    def _first_write(self, client: int, upstream: int, unsent: bytes) -> None:
        self._unanswered[upstream] = self._active_ns[upstream]
        super()._first_write(client, upstream, unsent)
        self._keep_turning()

    def _on_event(self, fd: int, events: int) -> None:
        if fd in self._unanswered and not self._flags[fd] & CONNECTING:
            self._listen(fd, events)
        else:
            super()._on_event(fd, events)

    def _listen(self, upstream: int, events: int) -> None:
        """Let an event of a backend that has said nothing yet take its course, and judge by it."""
        backend, since_ns = self._backend[upstream], self._unanswered.pop(upstream)
        client_ended = self._flags[self._peer[upstream]] & EOF
        heard = self._bytes[UPSTREAM]
        super()._on_event(upstream, events)
        flags = self._flags[upstream]
        if self._bytes[UPSTREAM] > heard:
            self._health.connected(backend)
        elif flags & LIVE and not flags & (EOF | RESET):
            # That it can be written is no sign of life. It stands behind younger ones now, so that
            # its silence may be noticed late, by at most as long again.
            self._unanswered[upstream] = since_ns
        elif not client_ended or events & EPOLLERR:
            self._blame(backend)

    def _on_reset(self, fd: int) -> None:
        if self._unanswered.pop(fd, None) is not None:
            self._blame(self._backend[fd])
        super()._on_reset(fd)

    def _drop_upstream(self, upstream: int, *, reset: bool) -> None:
        super()._drop_upstream(upstream, reset=reset)
        self._unanswered.pop(upstream, None)

    def _blame(self, backend: int) -> None:
        self._act(self._health.failed(backend, monotonic_ns()))

    def _keep_turning(self) -> None:
        super()._keep_turning()
        if self._tick is None and self._unanswered:
            self._tick = self._loop.call_later(TURN_S, self._turn)

    def _turn(self) -> None:
        """Count silences that are over, then as `GovernedRelay._turn`."""
        limit_ns = monotonic_ns() - self._care.eject_silence_ns
        late = []
        for upstream, since_ns in self._unanswered.items():
            if since_ns > limit_ns:
                break
            late.append(upstream)
        for upstream in late:
            del self._unanswered[upstream]
            if not self._flags[upstream] & CONNECTING:  # a connect has a timeout of its own
                self._blame(self._backend[upstream])
        super()._turn()
