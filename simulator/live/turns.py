"""The load generator where connections wait for others: retries, and the turns of a closed loop.

The plan names for each row the one it waits for. A first row is due at its planned moment; when a
row ends, the one that follows it is due after its pause, or is not needed: a retry of what did not
fail, or a user's turn for which the phase has no time left. Rows that follow each other belong to
one process, so nothing is passed between processes.
"""

from __future__ import annotations

from array import array
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from simulator.clock import monotonic_ns
from simulator.live.client import SENDS_PER_WAKEUP, LoadClient
from simulator.records import Outcome

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.live.channel import Message
    from simulator.live.ledger import Ledger
    from simulator.live.settings import ClientRole


class TurnsClient(LoadClient):
    """One generator process of a plan whose rows wait for each other."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: ClientRole,
        ledger: Ledger,
    ) -> None:
        super().__init__(loop, sock, index, settings, ledger)
        self._next_row = self._total  # rows are not taken up in turn; see `_ready`
        self._closed_loop = bool(settings.turns_end_ns)
        self._stopped = False
        self._mine: list[int] = []  # first rows of this process
        self._next = array("q", [-1]) * self._total  # the row that waits for a row
        self._ready: list[tuple[int, int]] = []  # (due on the monotonic clock, row)
        first = 0
        for row, before in enumerate(self._plan["after"]):
            if before >= 0:
                self._next[before] = row
                continue
            if first % settings.workers == index:
                self._mine.append(row)
            first += 1

    async def prepare(self) -> Message:
        """As its base, but with the first rows that are its own."""
        return {**await super().prepare(), "rows": len(self._mine)}

    def on_start(self) -> None:
        """First rows are due at their planned moments."""
        due = self._plan["due_ns"]
        self._ready = [(self.t0_ns + due[row], row) for row in self._mine]
        heapify(self._ready)
        super().on_start()

    def on_stop(self) -> None:
        """Give up everything that is not yet due; nothing follows what is open."""
        self._stopped = True
        self._give_up_ready(Outcome.NOT_SENT_STOPPED, Outcome.NOT_SENT_STOPPED)

    def on_quit(self) -> Message:
        """Account for what never came to its turn."""
        for entry in self._open.values():
            self._give_up(self._next[entry[0]], Outcome.NOT_SENT_STOPPED)
        self._give_up_ready(Outcome.NOT_SENT_GENERATOR, Outcome.NOT_SENT_STOPPED)
        return super().on_quit()

    def _give_up_ready(self, first: Outcome, later: Outcome) -> None:
        """Rows that were due or to be due, by whether they wait for another, and what follows."""
        after = self._plan["after"]
        for _, row in self._ready:
            self._give_up(row, first if after[row] < 0 else later)
        self._ready.clear()

    def _give_up(self, row: int, outcome: Outcome) -> None:
        """A row and all that wait for it in turn are not sent."""
        while row >= 0:
            self._rows["outcome"][row] = outcome
            self.not_sent += 1
            row = self._next[row]

    def _arm(self) -> None:
        queues = (self._ready, self._agenda, self._timeouts)
        times = [queue[0][0] for queue in queues if queue]
        self._timer.set(min(times) if times else None)

    def _take_up_due(self) -> None:
        if not self.t0_ns:
            return
        ready, now = self._ready, monotonic_ns()
        for _ in range(SENDS_PER_WAKEUP):
            if not ready or ready[0][0] > now:
                break
            self._take_up(heappop(ready)[1])

    def _take_up(self, row: int) -> None:
        super()._take_up(row)
        if self._rows["outcome"][row] == Outcome.NOT_SENT_DESCRIPTORS:
            self._give_up(self._next[row], Outcome.NOT_SENT_DESCRIPTORS)

    def _finish(self, fd: int, entry: list[int], *, reset: bool) -> None:
        super()._finish(fd, entry, reset=reset)
        if self._closed_loop:
            self._follow(entry[0])
        else:
            self._give_up(self._next[entry[0]], Outcome.NOT_SENT_NEEDLESS)

    def _fail_row(self, row: int, call: int, code: int) -> None:
        super()._fail_row(row, call, code)
        self._follow(row)

    def _follow(self, row: int) -> None:
        """A row has ended: the one that waits for it is due after its pause, or not at all."""
        following = self._next[row]
        if following < 0:
            return
        due = self._rows["closed_ns"][row] + self._plan["pause_ns"][following]
        if self._stopped:
            self._give_up(following, Outcome.NOT_SENT_STOPPED)
        elif self._closed_loop and due >= self._settings.turns_end_ns[self._plan["phase"][row]]:
            self._give_up(following, Outcome.NOT_SENT_NEEDLESS)
        else:
            heappush(self._ready, (self.t0_ns + due, following))
