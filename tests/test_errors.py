"""Every error has its documented exit code, and of several codes the documented one wins."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import errors

CODES: dict[type[errors.PortchurnError], int] = {
    errors.ScenarioError: 2,
    errors.UsageError: 2,
    errors.Refused: 3,
    errors.ResultsIncomplete: 6,
    errors.RunFailed: 1,
    errors.InternalError: 1,
}


def test_every_error_has_its_documented_exit_code() -> None:
    assert {kind: kind.exit_code for kind in errors.PortchurnError.__subclasses__()} == CODES


def test_the_precedence_names_each_code_once() -> None:
    named = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    named.discard(errors.EXIT_PRECEDENCE)
    assert sorted(errors.EXIT_PRECEDENCE) == sorted(named)


@pytest.mark.parametrize(
    ("worse", "better"), list(itertools.combinations(errors.EXIT_PRECEDENCE, 2))
)
def test_the_worse_of_two_codes_wins_in_either_order(worse: int, better: int) -> None:
    assert errors.worst_exit_code([worse, better]) == worse
    assert errors.worst_exit_code([better, worse]) == worse


@given(codes=st.lists(st.sampled_from(errors.EXIT_PRECEDENCE), max_size=8))
def test_the_winner_is_one_of_them_and_nothing_is_success(codes: list[int]) -> None:
    won = errors.worst_exit_code(codes)
    assert won in codes or (won == 0 and not codes)
    assert (won == 0) == all(code == 0 for code in codes)


def test_a_code_of_somebody_else_is_passed_on() -> None:
    assert errors.worst_exit_code([77]) == 77
