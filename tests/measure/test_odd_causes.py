"""Odd causes against others: what they belong to, and who has the word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.measure.attribution import find_causes
from simulator.measure.churn_cuts import ChurnCuts
from simulator.measure.misdelivery import Misdelivered
from simulator.measure.odd_causes import OddCauses, odd_causes
from tests.support.runs import RunBuilder

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = OddCauses()
WRONG = OddCauses(misdelivered=Misdelivered(count=3, meant_for=(0,), first_ns=0))
CHURN = ChurnCuts(errors={}, cut=2, refused=40, moments=2)


def test_a_run_in_which_nothing_is_odd(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0).run(tmp_path)
    assert odd_causes(run, find_causes(run), []) == NOTHING
    assert not NOTHING.errors()
    assert not NOTHING.weights()


def test_costs_stand_where_every_answer_was_right() -> None:
    costs = {"backend-churn": 42, "backend-refused": 7}
    assert NOTHING.rivals(costs, CHURN) == costs


def test_beside_wrong_answers_refusals_do_not_count() -> None:
    costs = {"backend-churn": 42, "backend-refused": 7, "misdelivery": 3, "failures": 1}
    assert WRONG.weights() == {"misdelivery": 3}
    assert WRONG.rivals(costs, CHURN) == {"backend-churn": 2, "misdelivery": 3, "failures": 1}


def test_refusals_alone_leave_churn_without_a_cost() -> None:
    costs = {"backend-churn": 40, "misdelivery": 3}
    assert WRONG.rivals(costs, CHURN) == {"misdelivery": 3}
