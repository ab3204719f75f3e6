"""What all roles of a crew share: a loop, a channel to the conductor, a tick, a clean end.

A role says on its channel when it is ready; nothing waits by sleeping. Every tick it reports what
it cost and its own cumulative counters, so that a role killed later has lost at most one tick.
"""

from __future__ import annotations

import asyncio
import os
import resource
import traceback
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from simulator.clock import monotonic_ns
from simulator.kernel.namespace import outer_pid
from simulator.live.channel import Channel, Message

if TYPE_CHECKING:
    import socket

TICK_S: Final = 0.1
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
#: Between two ticks more than this means that the process or the machine was stopped.
PAUSE_NS: Final = 1_000_000_000


class _OwnMemory:
    """This process's resident memory, from a file that stays open.

    A role that has run out of descriptors must go on reporting: that is when people look.
    """

    def __init__(self) -> None:
        self._descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def rss_bytes(self) -> int:
        """Resident set in bytes. Source: proc_pid_statm(5)."""
        return int(os.pread(self._descriptor, 128, 0).split()[1]) * _PAGE_BYTES

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class Role:
    """Base of the four roles; a subclass gives `on_start`, `on_message`, `counters`, `on_stop`.

    Attributes:
        t0_ns: monotonic time of the run's start, 0 until the conductor has said it.
        tick_s: time between two reports, s.
    """

    kind = "role"

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, index: int) -> None:
        self.loop = loop
        self.index = index
        self.t0_ns = 0
        self.tick_s = TICK_S
        self._finished = loop.create_future()
        self._last_tick_ns = monotonic_ns()
        self._ticking: asyncio.TimerHandle | None = None
        self._memory: _OwnMemory | None = None
        self.channel = Channel(loop, sock, self._on_frame, self._on_end)

    # What a subclass fills in.

    async def prepare(self) -> Message:
        """Open everything that is needed before the start; return what `ready` should carry."""
        return {}

    def on_start(self) -> None:
        """The run begins at ``self.t0_ns``."""

    def on_message(self, head: Message) -> None:
        """A command other than start, stop and quit."""

    def on_stop(self) -> None:
        """No new work from now on; finish what is open."""

    def on_quit(self) -> Message:
        """End now; return last words for the conductor."""
        return {}

    def on_tick(self) -> None:
        """Called with every tick, before the counters are read."""

    def counters(self) -> Message:
        """Cumulative counters for `roles.jsonl`."""
        return {}

    # What all share.

    async def run(self) -> None:
        """Be ready, serve until told to quit, say last words."""
        with closing(_OwnMemory()) as self._memory:
            ready = await self.prepare()
            self.channel.send({"is": "ready", "pid": outer_pid(), **ready})
            self._ticking = self.loop.call_later(self.tick_s, self._tick)
            try:
                await self._finished
            finally:
                if self._ticking is not None:
                    self._ticking.cancel()
                self.channel.close()

    def usage(self) -> Message:
        """CPU, memory and descriptors of this process."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "user_ns": round(used.ru_utime * 1e9),
            "system_ns": round(used.ru_stime * 1e9),
            "rss_bytes": self._memory.rss_bytes() if self._memory is not None else 0,
        }

    def _tick(self) -> None:
        self._ticking = self.loop.call_later(self.tick_s, self._tick)
        now = monotonic_ns()
        gap, self._last_tick_ns = now - self._last_tick_ns, now
        longest = PAUSE_NS + int(1e9 * (self.tick_s - TICK_S))
        if gap > longest and self.t0_ns:  # to be slow before the start disturbs nothing
            self.channel.send({"is": "pause", "gap_ns": gap, "t_ns": now - self.t0_ns})
        self.on_tick()
        self._report(now)

    def _report(self, now: int) -> None:
        if self.t0_ns:
            tick = {"is": "tick", "t_ns": now - self.t0_ns, **self.usage(), **self.counters()}
            self.channel.send(tick)

    def _on_frame(self, head: Message, _tail: bytes) -> None:
        try:
            self._obey(head)
        except Exception:  # noqa: BLE001 - reported whole to the conductor, which ends the run
            self.fail(traceback.format_exc())

    def _obey(self, head: Message) -> None:
        command = head.get("do")
        if command == "start":
            self.t0_ns = int(head["t0_ns"])
            self._last_tick_ns = monotonic_ns()
            self.on_start()
        elif command == "stop":
            self.on_stop()
        elif command == "quit":
            self._quit()
        else:
            self.on_message(head)

    def _quit(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()  # what it would read is about to be closed
        self.on_tick()
        self._report(monotonic_ns())
        self.channel.send({"is": "done", **self.on_quit()})
        self._wait_for_flush()

    def _wait_for_flush(self) -> None:
        if self.channel.queued_bytes and self.channel.is_open:
            self.loop.call_later(0.005, self._wait_for_flush)
        elif not self._finished.done():
            self._finished.set_result(None)

    def fail(self, text: str) -> None:
        """Tell the conductor that this role broke, with its traceback, and end."""
        self.channel.send({"is": "failed", "traceback": text})
        self._wait_for_flush()

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that left a callback: a broken role must not go on as if it were well.

        Without this a loop prints it and calls the callback again, for ever where the cause is a
        readable descriptor.
        """
        error = context.get("exception")
        if isinstance(error, Exception):
            self.fail("".join(traceback.format_exception(error)))
        else:
            loop.default_exception_handler(context)

    def _on_end(self, why: str) -> None:
        if not self._finished.done():
            self._finished.set_exception(ConnectionError(f"conductor: {why}"))


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    """A fresh event loop: ``uvloop`` or ``asyncio``."""
    if name == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()


def limit_descriptors(wanted: int | None) -> None:
    """Use the hard limit, or less where the scenario says so."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = hard if wanted is None else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run_role(role: Role, tick_s: float = TICK_S) -> None:
    """Run a role to its end on its own loop; a failure is reported with its traceback."""
    role.tick_s = tick_s

    async def main() -> None:
        try:
            await role.run()
        except ConnectionError:
            return  # the conductor is gone; PID 1 ends everything
        except Exception:
            role.channel.send({"is": "failed", "traceback": traceback.format_exc()})
            raise

    role.loop.set_exception_handler(role.on_loop_error)
    role.loop.run_until_complete(main())


Counters = dict[str, Any]
