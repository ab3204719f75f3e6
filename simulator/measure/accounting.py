"""Every attempt is accounted for: planned = sent + not sent, sent = ok + failed + open.

Counted from the rows of the connections table, each of which has exactly one outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import InternalError
from simulator.records import NOT_SENT, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine import Columns

_SENT = (Outcome.OPEN, Outcome.OK, Outcome.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What became of the plan; the counts of one run.

    Attributes:
        planned: rows of the plan.
        sent: connections the generator took up.
        ok: ended as planned.
        failed: ended otherwise.
        open_at_end: neither, when the run ended.
        not_sent: reason -> connections never taken up.
        errors: ``hop/call/ERRNO`` -> failed connections, by root cause.
    """

    planned: int
    sent: int
    ok: int
    failed: int
    open_at_end: int
    not_sent: Mapping[str, int]
    errors: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The form in a summary."""
        return {
            "planned": self.planned,
            "sent": self.sent,
            "ok": self.ok,
            "failed": self.failed,
            "open_at_end": self.open_at_end,
            "not_sent": dict(self.not_sent),
            "errors": dict(self.errors),
        }

    def check(self) -> None:
        """Hold the counts against the identity.

        Raises:
            InternalError: attempts were lost or counted twice, which is our bug.
        """
        identities = (
            ("planned = sent + not sent", self.planned, self.sent + sum(self.not_sent.values())),
            ("sent = ok + failed + open", self.sent, self.ok + self.failed + self.open_at_end),
            ("failed = sum of errors", self.failed, sum(self.errors.values())),
        )
        for law, left, right in identities:
            if left != right:
                raise InternalError(
                    f"attempts do not add up: {law} is {left} = {right}; counts: {self.as_dict()}"
                )


def sent_rows(outcomes: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows were taken up by the generator, shape as given."""
    return np.isin(outcomes, _SENT)


def count_attempts(connections: Columns, errors: Mapping[str, int]) -> Attempts:
    """Count outcomes of shape (connections,) and check the identity.

    ``sent`` is counted from ``sent_ns`` and not from the outcomes, so that the check cannot
    succeed by construction: a row that ended but was never taken up breaks it.

    Args:
        connections: CONNECTION_COLUMNS.
        errors: root causes of the failed rows, from `attribution`.

    Raises:
        InternalError: the identity does not hold.
    """
    outcomes = np.asarray(connections["outcome"])
    counts = np.bincount(outcomes, minlength=len(Outcome))
    if len(counts) > len(Outcome):
        raise InternalError(f"outcomes hold the unknown value {len(counts) - 1}")
    taken_up = np.asarray(connections["sent_ns"]) >= 0
    not_sent: dict[str, int] = {}
    for outcome, reason in NOT_SENT.items():
        if counts[outcome]:
            not_sent[reason] = not_sent.get(reason, 0) + int(counts[outcome])
    attempts = Attempts(
        planned=len(outcomes),
        sent=int(np.count_nonzero(taken_up & sent_rows(outcomes))),
        ok=int(counts[Outcome.OK]),
        failed=int(counts[Outcome.FAILED]),
        open_at_end=int(counts[Outcome.OPEN]),
        not_sent=not_sent,
        errors=dict(errors),
    )
    attempts.check()
    return attempts
