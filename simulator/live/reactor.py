"""An epoll descriptor of our own inside the event loop.

An epoll descriptor is itself pollable: it is readable while anything in it is ready. Registering
that one descriptor with the asyncio loop lets the data path handle hundreds of events in one
wake-up with plain function calls, on uvloop and stock asyncio alike, without a task, future or
transport for a connection.

Descriptors are registered edge-triggered unless the caller says otherwise, with one epoll_ctl for
their whole life. That puts a duty on whoever reads: go on until the kernel has no more (a read
that returns less than asked for, with no hang-up announced, says so), or ask to be called again.

A descriptor's number is free for the kernel to hand out again as soon as it is closed, while
events for the old one may still be in the batch. So nobody closes inside a batch: descriptors are
closed, and new ones accepted, in calls after it (`after_batch`), and the callback leaves alone what
it has given up itself.
"""

from __future__ import annotations

import select
from functools import partial
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

EPOLLIN: Final = select.EPOLLIN
EPOLLOUT: Final = select.EPOLLOUT
EPOLLERR: Final = select.EPOLLERR
EPOLLHUP: Final = select.EPOLLHUP
EPOLLRDHUP: Final = select.EPOLLRDHUP
#: Readable, and edge-triggered: hang-ups and errors are always told.
READS: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
READS_AND_WRITES: Final = READS | select.EPOLLOUT

EVENTS_PER_WAKEUP: Final = 512


class Reactor:
    """Calls back for ready descriptors.

    Args:
        loop: the event loop that it becomes part of.
        on_event: called with a ready descriptor and its events, unless the descriptor was added
            with a callback of its own.

    Attributes:
        now_ns: monotonic time of the present wake-up.
        watch: ``watch(fd, events)`` waits for events of a descriptor; closing it ends that.
        modify: ``modify(fd, events)`` waits for others; what is ready already is told again.
        poll: gives the events of this wake-up; who sees to most of them by other means puts a call
            of its own here that gives the rest.
    """

    __slots__ = (
        "_after",
        "_again",
        "_callbacks",
        "_epoll",
        "_loop",
        "_on_event",
        "modify",
        "now_ns",
        "poll",
        "watch",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_event: Callable[[int, int], None]
    ) -> None:
        self._loop = loop
        self._on_event = on_event
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int, int], None]] = {}
        self._again: list[tuple[int, int]] = []
        self._after: list[Callable[[], None]] = []
        self.now_ns = monotonic_ns()
        self.watch = self._epoll.register
        self.modify = self._epoll.modify
        self.poll: Callable[[], list[tuple[int, int]]]
        self.poll = partial(self._epoll.poll, 0, EVENTS_PER_WAKEUP)
        loop.add_reader(self._epoll.fileno(), self._wake)

    def add(self, fd: int, events: int, callback: Callable[[int, int], None]) -> None:
        """Wait for events of a descriptor that has a callback of its own."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, events)

    def remove(self, fd: int) -> None:
        """Take out a descriptor that was added, before it is closed."""
        del self._callbacks[fd]
        self._epoll.unregister(fd)

    def call_again(self, fd: int, events: int) -> None:
        """Call back in the next wake-up as if ``events`` had happened: somebody else's turn now."""
        self._again.append((fd, events))

    def fileno(self) -> int:
        """Its epoll descriptor."""
        return self._epoll.fileno()

    def after_batch(self, call: Callable[[], None]) -> None:
        """Call this after every batch of events."""
        self._after.append(call)

    def close(self) -> None:
        """Leave the loop; descriptors stay their owners'."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._callbacks.clear()
        self._again.clear()

    def _wake(self) -> None:
        if self._epoll.closed:  # a call_soon that was still under way
            return
        self.now_ns = monotonic_ns()
        callbacks = self._callbacks
        on_event = self._on_event
        events = self.poll()
        if self._again:
            events += self._again
            self._again = []
        for fd, what in events:
            if fd in callbacks:
                callbacks[fd](fd, what)
            else:
                on_event(fd, what)
        for call in self._after:
            call()
        if self._again:
            self._loop.call_soon(self._wake)
