"""What a generator connects to: the balancer's front or, without one, backends by policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.membership import Backend, Insert, Membership, Remove
from simulator.balancing.policies.policy import NOBODY
from simulator.balancing.policies.select import select_load, select_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.live.dialer import Dialer
    from simulator.seeds import Random


class Targets:
    """Picks a dialer's destination for each connection and keeps the load that policies compare.

    Args:
        front: the balancer's address and port; None when clients go straight to the backends.
        policy: name of the policy, used only without a front, as are the next three.
        choices: how many backends `choices` compares.
        generator: where its draws come from.
        start: where round robin begins.

    Attributes:
        picked: id of the backend picked last, -1 where the balancer picks.
    """

    def __init__(
        self,
        dialer: Dialer,
        front: tuple[str, int] | None,
        policy: str,
        choices: int,
        generator: Random,
        start: int,
    ) -> None:
        self._dialer = dialer
        self._policy = select_policy(policy, choices, generator, start=start)
        self._load = select_load(policy)
        self._membership = Membership()
        self._destinations: dict[int, int] = {}
        self._backend_of: dict[int, int] = {}  # by descriptor
        self._front = None if front is None else dialer.destination(*front)
        self.picked = NOBODY

    def change(self, insert: Sequence[tuple[int, str, int]], remove: Sequence[int]) -> int:
        """Backends came or went; returns how many may be picked now."""
        for backend_id, address, port in insert:
            backend = Backend(backend_id=backend_id, address=address, port=port)
            self._membership.apply(Insert(backend=backend))
            self._load.insert(backend_id)
            if self._front is None:
                self._destinations[backend_id] = self._dialer.destination(address, port)
        for backend_id in remove:
            self._membership.apply(Remove(backend_id=backend_id))
            self._load.remove(backend_id)
        return len(self._membership.eligible)

    def pick(self) -> int:
        """The destination to dial next, or -1 when there is no backend."""
        if self._front is not None:
            return self._front
        self.picked = self._policy.pick(self._membership.eligible, self._load, ())
        return self._destinations[self.picked] if self.picked != NOBODY else NOBODY

    def opened(self, fd: int) -> None:
        """The pick became a connection."""
        if self._front is None:
            self._load.opened(self.picked)
            self._backend_of[fd] = self.picked

    def closed(self, fd: int) -> None:
        """A connection ended."""
        if self._front is None:
            self._load.closed(self._backend_of.pop(fd))
