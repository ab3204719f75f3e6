"""Rows of the plan in their turn: when they are due, and those that wait for others.

Retries and the turns of a closed loop follow the rules of `live/turns.py`: a row that waits for
another is due a pause after that one's end, or it is not needed.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from simulator.model.agenda import NEVER
from simulator.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from simulator.model.agenda import Agenda
    from simulator.model.records import Records
    from simulator.scenario.schema import Scenario


class Turns:
    """What is due when, and by which generator process.

    Args:
        scenario: whose.
        plan: columns by name.
        agenda: where rows that follow others are put.
        records: outcomes of rows that are not sent.
        take_up: sends a row, from a process.
    """

    def __init__(
        self,
        scenario: Scenario,
        plan: Mapping[str, np.ndarray[Any, Any]],
        agenda: Agenda,
        records: Records,
        take_up: Callable[[int, int], None],
    ) -> None:
        self._agenda = agenda
        self._records = records
        self._take_up = take_up
        self._processes = scenario.clients.processes
        self._due: list[int] = plan["due_ns"].tolist()
        self._after: list[int] = plan["after"].tolist() if "after" in plan else []
        self._pause: list[int] = plan["pause_ns"].tolist() if "after" in plan else []
        self._phase: list[int] = plan["phase"].tolist()
        self._rows = [row for row, before in enumerate(self._after) if before < 0]
        self._next: dict[int, int] = {
            before: row for row, before in enumerate(self._after) if before >= 0
        }
        self._count = len(self._rows) if self._after else len(self._due)
        self._at = 0
        self._worker: dict[int, int] = {}
        self._ready: set[int] = set()  # rows that follow others and are not yet due
        ends = accumulate(phase.for_ns for phase in scenario.traffic)
        self._ends_ns = list(ends) if scenario.loop == "closed" else []
        self._stopped = False
        self.next_ns = NEVER
        self._look()

    @property
    def follows(self) -> bool:
        """Whether any row waits for another."""
        return bool(self._after)

    def _look(self) -> None:
        if self._at >= self._count:
            self.next_ns = NEVER
        else:
            self.next_ns = self._due[self._rows[self._at] if self._after else self._at]

    def step(self) -> None:
        """Send the next first row; its moment has come."""
        at = self._at
        self._at = at + 1
        worker = at % self._processes
        row = at
        if self._after:
            row = self._rows[at]
            self._worker[row] = worker
        self._agenda.now_ns = self.next_ns
        self._look()
        self._take_up(row, worker)

    def ended(self, row: int, succeeded: bool) -> None:
        """A row has ended: what waits for it is due after its pause, or is not needed."""
        worker = self._worker.pop(row)
        following = self._next.get(row, -1)
        if following < 0:
            return
        due_ns = self._records.closed[row] + self._pause[following]
        if self._stopped:
            self._give_up(following, Outcome.NOT_SENT_STOPPED)
        elif self._is_needless(row, due_ns, succeeded=succeeded):
            self._give_up(following, Outcome.NOT_SENT_NEEDLESS)
        else:
            self._worker[following] = worker
            self._ready.add(following)
            self._agenda.at(due_ns, self._follow, following, worker)

    def _is_needless(self, row: int, due_ns: int, *, succeeded: bool) -> bool:
        if self._ends_ns:
            return due_ns >= self._ends_ns[self._phase[row]]
        return succeeded

    def _follow(self, row: int, worker: int) -> None:
        if row in self._ready:
            self._ready.discard(row)
            self._take_up(row, worker)

    def _give_up(self, row: int, outcome: Outcome) -> None:
        """A row and all that wait for it in turn are not sent."""
        while row >= 0:
            self._records.outcome[row] = outcome
            row = self._next.get(row, -1)

    def stop(self) -> None:
        """Give up everything that is not yet due; what is open goes on."""
        self._stopped = True
        self._end(Outcome.NOT_SENT_STOPPED)

    def end(self) -> None:
        """The run is over: what never came to its turn is accounted for."""
        for row in list(self._worker):
            if self._records.outcome[row] == Outcome.OPEN:
                self._give_up(self._next.get(row, -1), Outcome.NOT_SENT_STOPPED)
        self._end(Outcome.NOT_SENT_GENERATOR)

    def _end(self, first: Outcome) -> None:
        for at in range(self._at, self._count):
            self._give_up(self._rows[at] if self._after else at, first)
        self._at = self._count
        for row in self._ready:
            self._give_up(row, Outcome.NOT_SENT_STOPPED)
        self._ready.clear()
        self._look()

    @property
    def waits(self) -> bool:
        """Whether any row is still to come."""
        return self._at < self._count or bool(self._ready)
