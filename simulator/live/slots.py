"""Slots: how many requests each backend serves at a time, and who waits for the next free one."""

from __future__ import annotations

from collections import Counter, deque
from typing import Generic, TypeVar

Ticket = TypeVar("Ticket")


class Slots(Generic[Ticket]):
    """A first-come-first-served queue before a fixed number of slots, for each backend.

    Args:
        limit: slots of each backend, >= 1.
        room: how many may wait at each backend; None is no limit. Who gave up keeps its place
            until its turn, as in any queue whose owner does not look.

    Attributes:
        waiting: tickets that wait, of all backends together.
        most_waiting: the most that ever waited at one backend.
    """

    def __init__(self, limit: int, room: int | None = None) -> None:
        self._limit = limit
        self._room = room
        self._busy: Counter[int] = Counter()
        self._queues: dict[int, deque[Ticket]] = {}
        self.waiting = 0
        self.most_waiting = 0

    def is_full(self, backend: int) -> bool:
        """Whether there is neither a slot nor a place in line."""
        if self._room is None or self._busy[backend] < self._limit:
            return False
        return len(self._queues.get(backend, ())) >= self._room

    def enter(self, backend: int, ticket: Ticket) -> bool:
        """Take a slot, or stand in line; whether there was one."""
        if self._busy[backend] < self._limit:
            self._busy[backend] += 1
            return True
        queue = self._queues.setdefault(backend, deque())
        queue.append(ticket)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, len(queue))
        return False

    def leave(self, backend: int) -> Ticket | None:
        """Free a slot; it goes at once to whoever waited longest, who is returned."""
        queue = self._queues.get(backend)
        if queue:
            self.waiting -= 1
            return queue.popleft()
        self._busy[backend] -= 1
        return None

    def forget(self, backend: int) -> None:
        """The backend begins anew: nobody is served, nobody waits."""
        self._busy.pop(backend, None)
        self.waiting -= len(self._queues.pop(backend, ()))
