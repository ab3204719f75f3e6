"""Which connections have been idle for too long: one time limit for all, so one queue in order."""

from __future__ import annotations

from collections import deque


class IdleLimit:
    """Watches connections between requests.

    Args:
        limit_ns: how long one may be idle, above 0.
    """

    def __init__(self, limit_ns: int) -> None:
        self._limit_ns = limit_ns
        self._since: dict[int, int] = {}
        self._queue: deque[tuple[int, int]] = deque()  # (idle since, descriptor)

    def rests(self, descriptor: int, now_ns: int) -> None:
        """A connection waits for its next request from now on."""
        self._since[descriptor] = now_ns
        self._queue.append((now_ns, descriptor))

    def works(self, descriptor: int) -> None:
        """A connection has something to do, or is closed."""
        self._since.pop(descriptor, None)

    @property
    def next_ns(self) -> int | None:
        """When to look next, None when nothing is idle."""
        return self._queue[0][0] + self._limit_ns if self._queue else None

    def over(self, now_ns: int) -> list[int]:
        """Descriptors that have been idle for the whole limit; they are watched no longer."""
        found = []
        queue = self._queue
        while queue and queue[0][0] + self._limit_ns <= now_ns:
            since, descriptor = queue.popleft()
            # A descriptor that worked meanwhile has another beginning, or none.
            if self._since.get(descriptor) == since:
                del self._since[descriptor]
                found.append(descriptor)
        return found
