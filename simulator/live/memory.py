"""What open connections cost the kernel in memory, read off the whole machine.

The kernel tells no namespace's own socket memory, so this is the drop in available memory between
the start and the moment with the most open connections, less what the roles themselves grew by.
Other programs of the machine are in it too, so few connections say nothing and are not reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Below this the noise of the machine is larger than the connections.
LEAST_CONNECTIONS: Final = 2_000


class MemoryGauge:
    """Keeps the reading taken with the most connections open.

    Args:
        available_bytes: reads the machine's available memory.
    """

    def __init__(self, available_bytes: Callable[[], int]) -> None:
        self._read = available_bytes
        self._begin_bytes = 0
        self._begin_rss: dict[tuple[str, int], int] = {}
        self._rss: dict[tuple[str, int], int] = {}
        self._peak_open = 0
        self._peak_bytes = 0

    def begin(self) -> None:
        """Nothing is open yet."""
        self._begin_bytes = self._read()

    def role(self, kind: str, index: int, rss_bytes: int) -> None:
        """A role's own memory at its newest tick."""
        self._begin_rss.setdefault((kind, index), rss_bytes)
        self._rss[kind, index] = rss_bytes

    def note(self, open_now: int) -> None:
        """Connections open now; read memory when there were never more, or still as many."""
        if open_now < LEAST_CONNECTIONS or open_now < self._peak_open:
            return
        grown = sum(rss - self._begin_rss[role] for role, rss in self._rss.items())
        self._peak_open = open_now
        self._peak_bytes = self._begin_bytes - self._read() - grown

    def finding(self) -> dict[str, Any] | None:
        """``bytes`` and ``connections`` at the peak, None when it says nothing."""
        if not self._peak_open or self._peak_bytes <= 0:
            return None
        return {"bytes": self._peak_bytes, "connections": self._peak_open}
