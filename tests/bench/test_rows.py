"""Rows of a bench: middle values, ratios within rounds, and who was not there is named."""

from __future__ import annotations

import statistics
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from simulator.bench.rows import has_errors, order_of, summarise, table

UNITS = {"cost": "us", "errors": "connections"}
VALUES = st.lists(st.floats(1, 1e6), min_size=1, max_size=9)


def rounds(*costs: float) -> list[dict[str, float]]:
    return [{"cost": cost, "errors": 0.0} for cost in costs]


@given(VALUES, VALUES)
def test_ratios_are_those_of_the_same_round(mine: list[float], theirs: list[float]) -> None:
    results = {"a": rounds(*mine), "b": rounds(*theirs)}
    row = summarise("x", results, {"a": "1", "b": "2"}, UNITS, "b")[0]
    pairs = [one / other for one, other in zip(mine, theirs, strict=False)]
    assert (row.median, row.low, row.high) == (statistics.median(mine), min(mine), max(mine))
    assert (row.ratio, row.ratio_low, row.ratio_high) == (
        statistics.median(pairs),
        min(pairs),
        max(pairs),
    )


@given(st.integers(1, 6), st.integers(1, 4))
def test_each_subject_has_each_place_equally_often(subjects: int, times: int) -> None:
    names = [f"s{number}" for number in range(subjects)]
    orders = [order_of(number, names) for number in range(subjects * times)]
    for place in range(subjects):
        assert Counter(order[place] for order in orders) == dict.fromkeys(names, times)


def test_one_that_is_not_installed_is_named_and_has_no_values() -> None:
    rows = summarise("x", {"a": rounds(5)}, {"a": "1", "b": None}, UNITS, "b")
    assert [row.n for row in rows] == [1, 1, 0, 0]
    assert all(row.ratio is None for row in rows)
    assert "b: not installed" in table(rows).splitlines()


def test_a_metric_that_a_subject_does_not_have_is_a_row_without_values() -> None:
    results = {"a": [{"errors": 0.0}], "b": rounds(3)}
    (cost, errors, *_) = summarise("x", results, {"a": "1", "b": "1"}, UNITS, "b")
    assert (cost.n, cost.median, errors.n) == (0, None, 1)


def test_a_table_says_the_ratio_and_against_whom() -> None:
    rows = summarise("x", {"a": rounds(5), "b": rounds(10)}, {"a": "1", "b": "2"}, UNITS, "b")
    text = table(rows)
    assert "against b" in text.splitlines()[0]
    assert "0.50 (0.50-0.50)" in text


def test_any_error_in_any_round_refuses_the_comparison() -> None:
    bad = [*rounds(5, 5), {"cost": 5.0, "errors": 1.0}]
    assert not has_errors(summarise("x", {"a": rounds(5)}, {"a": "1"}, UNITS, ""))
    assert has_errors(summarise("x", {"a": bad}, {"a": "1"}, UNITS, ""))
