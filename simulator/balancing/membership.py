"""Which backends exist, where they listen now, and which of them may be picked.

A backend keeps its id for the whole run; its endpoint may change. Removing one only stops new
picks: connections it already has go on (it is *draining*) and end by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One serving unit and where it listens now.

    Attributes:
        backend_id: small number >= 0 that stays the same for the whole run.
        address: dotted IPv4 address.
        port: 1..65535.
    """

    backend_id: int
    address: str
    port: int

    def __post_init__(self) -> None:
        if self.backend_id < 0 or not 1 <= self.port <= 65535:
            raise ValueError(f"not a backend: id {self.backend_id}, port {self.port}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """A backend may be picked from now on, at this endpoint."""

    backend: Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """A backend is not picked any more."""

    backend_id: int


class Membership:
    """The set of backends, changed by `Insert` and `Remove`.

    Attributes:
        eligible: ids that may be picked, without gaps, so that a draw is one index. Removing moves
            the last id into the gap: the order is arbitrary but the same for the same events.
        backends: every backend known, draining ones included, by id.
    """

    def __init__(self) -> None:
        self.eligible: list[int] = []
        self.backends: dict[int, Backend] = {}
        self._position: dict[int, int] = {}

    def apply(self, event: Insert | Remove) -> None:
        """Take over one change; inserting again moves the endpoint, removing twice is no error."""
        if isinstance(event, Insert):
            self._insert(event.backend)
        else:
            self._remove(event.backend_id)

    def is_draining(self, backend_id: int) -> bool:
        """Whether it is known, not picked any more, and may still have connections."""
        return backend_id in self.backends and backend_id not in self._position

    def _insert(self, backend: Backend) -> None:
        self.backends[backend.backend_id] = backend
        if backend.backend_id not in self._position:
            self._position[backend.backend_id] = len(self.eligible)
            self.eligible.append(backend.backend_id)

    def _remove(self, backend_id: int) -> None:
        gap = self._position.pop(backend_id, None)
        if gap is None:
            return
        last = self.eligible.pop()
        if last != backend_id:
            self.eligible[gap] = last
            self._position[last] = gap
