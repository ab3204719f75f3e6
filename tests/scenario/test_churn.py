"""Churn in a scenario file: what is understood, what is refused, and in which words."""

from __future__ import annotations

import pytest

from simulator.scenario.churn import ALL, Churn
from tests.support.scenarios import SMALL, complaints, small

COUNT = "backends.count=4"


def test_all_is_every_backend_and_is_written_back_as_all() -> None:
    made = Churn.model_validate({"at": [{"time": "1s", "backends": "all"}]})
    assert made.at[0].backends == ALL
    assert made.model_dump(mode="json", by_alias=True)["at"][0]["backends"] == "all"


def test_what_is_not_said_is_a_drain_of_three_seconds() -> None:
    churn = small(COUNT, "backends.churn={rate: 2/s}").backends.churn
    assert churn is not None
    assert (churn.leave, churn.away, churn.rate) == ("drain", 3_000_000_000, 2.0)


@pytest.mark.parametrize(
    ("flag", "path", "words"),
    [
        ("backends.churn={away: 1s}", "backends.churn", "has none of rate, at, scale"),
        ("backends.churn={rate: 1/s, leave: explode}", "backends.churn.leave", "must be one of"),
        (
            "backends.churn={scale: [{time: 0s, count: 5}]}",
            "backends.churn.scale.0.count",
            "is 5, more than the 4 of backends.count",
        ),
        (
            "backends.churn={scale: [{time: 0s, count: 1}, {time: 0s, count: 2}]}",
            "backends.churn.scale.1.time",
            "is not after the step before",
        ),
        (
            "backends.churn={at: [{time: 1h}]}",
            "backends.churn.at.0.time",
            "is after the end of the last phase",
        ),
        (
            "backends.churn={at: [{time: 0s, backends: some}]}",
            "backends.churn.at.0.backends",
            "is neither a number nor all",
        ),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(flag: str, path: str, words: str) -> None:
    found = complaints(SMALL, COUNT, flag)
    assert any(one.path == path and words in one.message for one in found), found
