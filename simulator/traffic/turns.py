"""Connections that wait for others: retries of what fails, and the turns of a closed loop; pure.

Both are rows of the plan from the start, so that every attempt is accounted for. A row names the
one that it waits for (``after``) and how long after that one's end it is due (``pause_ns``); its
own ``due_ns`` is the earliest moment at which that can be, on an ideal network. What is not needed,
because the attempt before succeeded or the phase was over, is never sent and is counted as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.errors import Refused
from simulator.seeds import generator
from simulator.units import format_count, format_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario
    from simulator.scenario.turns import Retry, Users

    Column = NDArray[Any]
    Columns = dict[str, Column]
    Times = NDArray[np.int64]

#: Turns of one user, each of which is drawn for all users together.
MAX_TURNS: Final = 20_000


def alone(count: int) -> Columns:
    """The columns of connections that wait for nobody."""
    return {
        "after": np.full(count, -1, dtype=np.int64),
        "pause_ns": np.zeros(count, dtype=np.int64),
        "attempt": np.zeros(count, dtype=np.uint8),
    }


def retry_pauses_ns(retry: Retry, attempt: int, count: int, stream: np.random.Generator) -> Times:
    """Pauses before the n-th retry, n from 1, shape (count,), ns.

    Source of full jitter: Brooker, Exponential Backoff And Jitter (2015).
    """
    longest = retry.backoff * retry.factor ** (attempt - 1)
    if retry.jitter == "full":
        return np.rint(stream.random(count) * longest).astype(np.int64)
    return np.full(count, round(longest), dtype=np.int64)


def with_retries(columns: Columns, retry: Retry, seed: int, phase: str) -> Columns:
    """A phase's columns with the rows of all further attempts behind them.

    A retry asks for the same as the first attempt, service times included.
    """
    count = len(columns["due_ns"])
    rows = [columns]
    for attempt in range(1, retry.attempts):
        stream = generator(seed, "retry", phase, attempt)
        pauses = retry_pauses_ns(retry, attempt, count, stream)
        before = rows[-1]
        rows.append(
            columns
            | {
                "due_ns": before["due_ns"] + pauses,
                "pause_ns": pauses,
                "after": np.arange(count) + (attempt - 1) * count,
                "attempt": np.full(count, attempt, dtype=np.uint8),
            }
        )
    shared = ("service_ns", "think_ns")
    return {
        name: column if name in shared else np.concatenate([part[name] for part in rows])
        for name, column in columns.items()
    }


def most_turns(users: Users, duration_ns: int, held_ns: float) -> float:
    """Connections that users make on average when each is open for ``held_ns``."""
    return users.count * duration_ns / (users.think + held_ns)


def closed_loop(
    scenario: Scenario,
    phase: Phase,
    most: int,
    draw: Callable[[int, int], Columns],
    held_ns: Callable[[Columns], Times],
) -> Columns:
    """The columns of a closed loop: every turn that its users may come to on an ideal network.

    Args:
        scenario: gives the seed.
        phase: has users.
        most: rows that there may be.
        draw: the columns of some connections of the phase, from their count and turn.
        held_ns: how long connections are open at the least.

    Raises:
        Refused: there would be more turns than a plan may hold.
    """
    users = phase.users
    assert users is not None, "a closed loop has users"
    spread = np.arange(users.count, dtype=np.int64) * users.think // users.count
    due = spread
    pause = np.zeros(users.count, dtype=np.int64)
    before = np.full(users.count, -1, dtype=np.int64)
    parts: list[Columns] = []
    rows = requests = turn = 0
    while len(due := due[(here := due < phase.for_ns)]):
        pause, before = pause[here], before[here]
        if rows + len(due) > most or turn == MAX_TURNS:
            raise Refused(
                f"The closed loop of phase {phase.name} may come to more than "
                f"{format_count(rows)} connections ({format_count(users.count)} users, each one "
                f"every {format_ns(users.think)} at the least, for {format_ns(phase.for_ns)}); "
                f"{format_count(most)} in all and {format_count(MAX_TURNS)} for one user are the "
                "most. Lengthen users.think, or shorten the phase."
            )
        part = draw(len(due), turn)
        part |= alone(len(due)) | {"due_ns": due, "pause_ns": pause, "after": before}
        ends = due + held_ns(part)
        part["first_service"] = part["first_service"] + requests
        parts.append(part)
        before = np.arange(rows, rows + len(due))
        rows += len(due)
        requests += len(part["service_ns"])
        turn += 1
        pause = _thinks_ns(users, len(due), scenario.seed, phase.name, turn)
        due = ends + pause
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _thinks_ns(users: Users, count: int, seed: int, phase: str, turn: int) -> Times:
    if users.draw == "constant":
        return np.full(count, users.think, dtype=np.int64)
    stream = generator(seed, "users", phase, turn)
    return np.rint(stream.standard_exponential(count) * users.think).astype(np.int64)


def in_order_of_due(columns: Columns) -> Columns:
    """A whole plan's rows sorted by their due time; ``after`` goes on naming the same row."""
    order = np.argsort(columns["due_ns"], kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    shared = ("service_ns", "think_ns")
    found = {name: column if name in shared else column[order] for name, column in columns.items()}
    after = found["after"]
    found["after"] = np.where(after >= 0, place[after], -1)
    return found
