"""The identity: it holds for every table of outcomes, and a broken table is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InternalError
from simulator.measure.accounting import Attempts, count_attempts
from simulator.records import Outcome

SENT = (Outcome.OPEN, Outcome.OK, Outcome.FAILED)


def table(outcomes: list[int]) -> dict[str, np.ndarray[Any, Any]]:
    sent = [5 if outcome in SENT else -1 for outcome in outcomes]
    return {"outcome": np.array(outcomes, "|u1"), "sent_ns": np.array(sent, "<i8")}


@given(st.lists(st.sampled_from(list(Outcome)), max_size=50))
def test_every_outcome_is_counted_once(outcomes: list[Outcome]) -> None:
    failed = outcomes.count(Outcome.FAILED)
    found = count_attempts(table([int(o) for o in outcomes]), {"a/b/C": failed} if failed else {})
    assert found.planned == len(outcomes)
    assert found.planned == found.sent + sum(found.not_sent.values())
    assert found.sent == found.ok + found.failed + found.open_at_end
    assert found.ok == outcomes.count(Outcome.OK)
    by_generator = outcomes.count(Outcome.PLANNED) + outcomes.count(Outcome.NOT_SENT_GENERATOR)
    assert found.not_sent.get("generator", 0) == by_generator
    assert found.not_sent.get("stopped", 0) == outcomes.count(Outcome.NOT_SENT_STOPPED)


def test_a_row_that_ended_but_was_never_sent_is_our_bug() -> None:
    rows = table([Outcome.OK, Outcome.OK])
    rows["sent_ns"][0] = -1
    with pytest.raises(InternalError, match="planned = sent"):
        count_attempts(rows, {})


def test_errors_must_add_up_to_the_failed_rows() -> None:
    with pytest.raises(InternalError, match="sum of errors"):
        count_attempts(table([Outcome.FAILED, Outcome.FAILED]), {"a/b/C": 1})


def test_an_unknown_outcome_is_our_bug() -> None:
    with pytest.raises(InternalError, match="unknown value 9"):
        count_attempts(table([9]), {})


def test_the_counts_check_themselves() -> None:
    wrong = Attempts(
        planned=3, sent=2, ok=1, failed=0, open_at_end=0, not_sent={"stopped": 1}, errors={}
    )
    with pytest.raises(InternalError, match="sent = ok"):
        wrong.check()
