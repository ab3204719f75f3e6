"""What the minders of foreign balancers share: the front, the log, the child, the counters.

The minder is a role like the own balancer. It binds the front before the program starts, gives it
over by descriptor, tells it of backends that come and go, reads its log and its counters, and
reports the program's CPU and memory instead of its own.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import deque
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.kernel.sockets import open_listener
from simulator.live.balancers.driver_log import DriverLog, Lines
from simulator.live.role import Role

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.balancers.child import Child
    from simulator.live.channel import Message
    from simulator.live.driver_settings import DriverRole

Endpoint = tuple[str, int]
_WORDS_KEPT: Final = 20
_PIPE_BYTES: Final = 1 << 20
_F_SETPIPE_SZ: Final = 1031
READ_BYTES: Final = 1 << 18


class NotStarted(Exception):
    """The program did not start; the message is its own."""


def log_pipe() -> tuple[int, int]:
    """A pipe for a log, large enough for bursts: its end to read, non-blocking, and to write."""
    import fcntl

    read, write = os.pipe()
    os.set_blocking(read, False)
    with contextlib.suppress(OSError):  # more than this user may ask for
        fcntl.fcntl(read, _F_SETPIPE_SZ, _PIPE_BYTES)
    return read, write


class ForeignBalancer(Role):
    """Base of the minders; a subclass gives `begin`, `change`, `read_line` and `own_counters`."""

    kind = "balancer"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: DriverRole,
    ) -> None:
        super().__init__(loop, sock, index)
        self._settings = settings
        self._front = open_listener(*settings.front, backlog=settings.backlog)
        self._child: Child | None = None
        self._endpoints: dict[int, Endpoint] = {}
        self._log = DriverLog()
        self._lines = Lines()
        self._log_read = -1
        self._members = 0
        self._words: deque[str] = deque(maxlen=_WORDS_KEPT)
        self.is_serving = False

    # What a subclass fills in.

    def begin(self) -> None:
        """Start the program and call `serves` when it does.

        Raises:
            NotStarted: it would not.
        """
        raise NotImplementedError

    def change(self, insert: dict[int, Endpoint], remove: list[int], change: int | None) -> None:
        """Backends came and went; call `changed` when it is done.

        Args:
            insert: where those are that came; `_endpoints` holds all that are there now.
            remove: those that went.
            change: the conductor's number for it.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what `begin` opened."""

    def read_line(self, line: str, now_ns: int) -> None:
        """One line of its log."""
        raise NotImplementedError

    def own_counters(self, *, last: bool = False) -> Message:
        """Its cumulative counters, as far as it has them."""
        raise NotImplementedError

    # What all share.

    async def prepare(self) -> Message:
        """The front is bound; the program starts when backends are known."""
        return {}

    def on_message(self, head: Message) -> None:
        """Backends came or went; the first word of them starts the program."""
        if head.get("do") != "membership":
            return
        insert = {int(one): (str(address), int(port)) for one, address, port in head["insert"]}
        remove = [int(one) for one in head["remove"]]
        for one in remove:
            self._endpoints.pop(one, None)
        self._endpoints |= insert
        if self._child is None:
            self._start(len(insert))
            return
        change = head.get("change")
        self.change(insert, remove, None if change is None else int(change))

    def _start(self, members: int) -> None:
        self._members = members
        try:
            self.begin()
        except NotStarted as error:
            self._refuse(str(error))

    def _refuse(self, words: str) -> None:
        message = f"{self._settings.driver} did not start: {words}"
        self.channel.send({"is": "refused", "message": message})

    def keep_word(self, line: str) -> None:
        """A line that nobody understood: said if the program does not start or ends."""
        if line.strip():
            self._words.append(line)

    def serves(self, text: str) -> None:
        """The program serves, with this configuration."""
        assert self._child is not None
        self.is_serving = True
        version = self._settings.version
        told = {"driver": self._settings.driver, "version": version, "pid": self._child.pid}
        self.channel.send({"is": "driver", **told}, text.encode())
        self.channel.send({"is": "members", "count": self._members})

    def changed(self, change: int | None) -> None:
        """The program has taken note of backends that came or went."""
        if change is not None:
            at_ns = monotonic_ns() - self.t0_ns
            self.channel.send({"is": "changed", "change": change, "t_ns": at_ns})

    def follow(self, descriptor: int) -> None:
        """Read the program's log from this descriptor on."""
        self._log_read = descriptor
        self.loop.add_reader(descriptor, self._read_log)

    def _read_log(self) -> None:
        now_ns = monotonic_ns() - self.t0_ns
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._log_read, READ_BYTES)
            if not data:  # every writer is gone
                self.loop.remove_reader(self._log_read)
            for line in self._lines.feed(data):
                self.read_line(line, now_ns)

    def lost(self, code: int) -> None:
        """The program ended by itself: so does this role, without last words."""
        with contextlib.suppress(OSError):
            self._read_log()
        said = "\n".join(self._words)
        if not self.is_serving:
            self._refuse(said or f"it ended with {code}")
            return
        self.on_tick()
        print(f"{self._settings.driver} ended with {code}\n{said}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(abs(code) or 1)

    def on_tick(self) -> None:
        """Hand over what was recorded since the last tick."""
        for stream, rows in (
            ("dials", self._log.take_dials()),
            ("refusals", self._log.take_refusals()),
        ):
            if rows:
                self.channel.send({"is": stream}, rows)

    def usage(self) -> Message:
        """CPU and memory of the program, not of its minder."""
        if self._child is None:
            return {"user_ns": 0, "system_ns": 0, "rss_bytes": 0}
        return {**self._child.usage()}

    def counters(self) -> Message:
        """The program's counters in the form of a balancer's, as far as it has them."""
        if self._child is None:
            return {}
        return {
            "dial_errors": self._log.errors_by_name(),
            "refused": self._log.refused,
            **self.own_counters(),
        }

    def on_quit(self) -> Message:
        """End the program; what it had open is cut."""
        active = 0
        if self._child is not None:
            active = int(self.own_counters(last=True).get("active", 0))
            self._read_log()
            self._child.kill()
            self.loop.remove_reader(self._log_read)
            os.close(self._log_read)
            self.close()
        self._front.close()
        self.on_tick()
        return {"active": active}
