"""Runs taken together: medians of runs, ratios of pairs, and nothing from a run that is no good."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.measure.repeats import (
    METRICS,
    NO_DIFFERENCE,
    Repeat,
    reasons_to_leave_out,
    repeats,
)
from tests.support.summaries import LATENCY, summary

BAD = {"code": "generator-limited", "message": "sent 83 %", "remedy": "", "invalid": True}


def run(
    block: int,
    variant: str,
    p99: float | None,
    **changes: Any,  # noqa: ANN401 - fields of a summary
) -> Repeat:
    response: dict[str, Any] = {**LATENCY}
    response["p99"] = p99
    latency = dict.fromkeys(("connect", "service", "lag"), LATENCY) | {"response": response}
    made = summary(variant=variant, latency_ns=latency, doubts=[], run=f"{variant}-{block}")
    return Repeat(block=block, path=f"results/{variant}-{block}", summary={**made, **changes})


def pairs(first: list[float], second: list[float]) -> list[Repeat]:
    runs = []
    for block, (one, other) in enumerate(zip(first, second, strict=True)):
        runs += [run(block, "early", one), run(block, "late", other)]
    return runs


def variant(table: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in table["variants"] if one["variant"] == name]
    return dict(found)


def ratio(table: dict[str, Any], metric: str) -> dict[str, Any]:
    (found,) = [one for one in table["ratios"] if one["metric"] == metric]
    return dict(found)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=9))
def test_the_median_is_of_the_runs_and_its_interval_lies_in_them(values: list[int]) -> None:
    table = repeats([run(i, "", float(v)) for i, v in enumerate(values)], seed=7)
    told = variant(table, "")["metrics"]["response.p99"]
    assert told["median"] == float(np.median(values))
    if len(values) < 5:
        assert told["interval"] is None
    else:
        assert min(values) <= told["interval"][0] <= told["median"]
        assert told["median"] <= told["interval"][1] <= max(values)


def test_the_same_runs_give_the_same_table() -> None:
    runs = pairs([5.0, 4, 6, 5, 7], [9.0, 8, 9, 12, 9])
    assert repeats(runs, seed=7) == repeats(runs, seed=7)
    json.dumps(repeats(runs, seed=7), allow_nan=False)


def test_twice_as_long_is_slower_by_two() -> None:
    first = [5.0, 4, 6, 5, 7]
    told = ratio(repeats(pairs(first, [2 * v for v in first]), seed=7), "response.p99")
    assert told["ratio"] == 2.0
    assert told["interval"] == pytest.approx([2.0, 2.0])
    assert told["says"] == "slower"
    assert (told["variant"], told["against"], told["pairs"]) == ("late", "early", 5)


def test_what_may_be_equal_is_no_difference() -> None:
    told = ratio(repeats(pairs([5, 4, 6, 5, 7.0], [6, 4, 5, 5, 7.0]), seed=7), "response.p99")
    assert told["says"] == NO_DIFFERENCE


def test_fewer_than_five_runs_say_numbers_and_no_word() -> None:
    told = ratio(repeats(pairs([1.0] * 4, [50.0] * 4), seed=7), "response.p99")
    assert (told["ratio"], told["interval"], told["says"]) == (50.0, None, None)


def test_a_run_that_is_not_valid_is_listed_and_in_no_number() -> None:
    runs = pairs([5.0] * 6, [5.0] * 6)
    runs[-1] = run(5, "late", 1e12, valid=False, doubts=[BAD])
    table = repeats(runs, seed=7)
    late = variant(table, "late")
    assert late["valid"] == 5
    assert late["metrics"]["response.p99"]["values"] == [5.0] * 5
    assert [one["left_out"] for one in late["runs"]][-1] == ["sent 83 %"]
    assert ratio(table, "response.p99")["pairs"] == 5  # its partner has nobody to be paired with


def test_a_run_that_was_cut_short_answers_another_question() -> None:
    short = {"code": "interrupted", "message": "stopped", "remedy": "", "invalid": False}
    assert reasons_to_leave_out(summary(doubts=[short])) == ["stopped"]
    assert reasons_to_leave_out(summary(doubts=[], valid=False)) == ["the measurement is not valid"]
    assert reasons_to_leave_out(summary()) == []


def test_a_percentile_that_a_run_could_not_tell_is_no_zero() -> None:
    table = repeats([run(0, "", None), run(1, "", 3.0)], seed=7)
    assert variant(table, "")["metrics"]["response.p99"]["values"] == [3.0]


def test_none_of_many_is_not_never() -> None:
    calm = summary()["attempts"] | {"sent": 500, "failed": 0}
    table = repeats([run(i, "", 1.0, attempts=calm) for i in range(2)], seed=7)
    assert variant(table, "")["failures"] == {"failed": 0, "sent": 1000, "at_most": 0.003}
    assert variant(repeats([run(0, "", 1.0)], seed=7), "")["failures"]["at_most"] is None


def test_only_bad_runs_and_no_runs_make_an_empty_table() -> None:
    table = repeats([run(0, "", 1.0, valid=False, doubts=[BAD])], seed=7)
    assert variant(table, "")["metrics"] == {}
    assert repeats([], seed=7)["variants"] == []


def test_every_metric_has_two_words() -> None:
    assert all(more != less for more, less in METRICS.values())


def test_an_open_and_a_closed_loop_are_never_divided() -> None:
    loops = {"early": {"kind": "open", "users": 0}, "late": {"kind": "closed", "users": 3}}
    runs = [
        run(block, name, 100.0, loop=loops[name])
        for block in range(5)
        for name in ("early", "late")
    ]
    table = repeats(runs, seed=1)
    assert (table["ratios"], table["not_compared"]) == ([], ["late"])
    assert variant(table, "late")["loop"] == loops["late"]
    same = [run(block, name, 100.0, loop=loops["late"]) for block in range(5) for name in loops]
    again = repeats(same, seed=1)
    assert again["ratios"]
    assert again["not_compared"] == []
