"""Who looks at a run's page, and how each is told the news without holding up anybody.

A viewer has a queue of bounded length. Who does not read fast enough finds it full and is let go:
nobody waits for a viewer, and what a viewer costs in memory is known before it comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

#: So many may look at once.
MOST_VIEWERS: Final = 64
#: So many pieces of news may wait for one viewer: some seconds of them.
QUEUE: Final = 32


class Viewer:
    """One who looks: the news for it, in order, until it is let go or all is told."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE + 1)
        self.is_dropped = False

    def tell(self, piece: bytes) -> bool:
        """Put a piece into its queue; whether there was room."""
        if self._queue.qsize() >= QUEUE:
            self.is_dropped = True
        else:
            self._queue.put_nowait(piece)
        return not self.is_dropped

    def end(self) -> None:
        """Nothing more will come."""
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The news as it comes; ends when all is told, or at once when it is let go."""
        while not self.is_dropped:
            piece = await self._queue.get()
            if piece is None or self.is_dropped:
                return
            yield piece


class Viewers:
    """All who look.

    Args:
        everything: what one who comes now has missed, as one piece.
    """

    def __init__(self, everything: Callable[[], bytes]) -> None:
        self._everything = everything
        self._viewers: set[Viewer] = set()
        self._has_ended = False
        self.dropped = 0

    def __len__(self) -> int:
        """How many look now."""
        return len(self._viewers)

    def join(self) -> Viewer | None:
        """One more, who is told everything so far first; None when there is no room."""
        if len(self._viewers) >= MOST_VIEWERS:
            return None
        viewer = Viewer()
        viewer.tell(self._everything())
        if self._has_ended:
            viewer.end()
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """One less."""
        self._viewers.discard(viewer)

    def tell(self, piece: bytes) -> None:
        """A piece of news for all; returns at once, and lets go who did not read those before."""
        for viewer in list(self._viewers):
            if not viewer.tell(piece):
                self.dropped += 1
                viewer.end()
                self._viewers.discard(viewer)

    def end(self) -> None:
        """All is told."""
        self._has_ended = True
        for viewer in self._viewers:
            viewer.end()
