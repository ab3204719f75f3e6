"""The grammar of `requests`: a short form, one law at a time, words for what is wrong."""

from __future__ import annotations

import pytest

from simulator.scenario.load import resolved
from simulator.scenario.requests import Requests
from simulator.scenario.schema import Scenario
from tests.support.scenarios import SMALL, complaints, small


@pytest.mark.parametrize(
    ("value", "mean"),
    [("3", 3), ("0", 0), ("{geometric: 2.5}", 2.5), ("{uniform: {from: 1, to: 4}}", 2.5)],
)
def test_each_form_has_its_mean_and_reads_back(value: str, mean: float) -> None:
    scenario = small(f"traffic.0.requests={value}")
    assert scenario.traffic[0].requests.mean == mean
    assert Scenario.model_validate(resolved(scenario)) == scenario


def test_a_law_takes_the_place_of_another() -> None:
    scenario = small("traffic.0.requests={constant: 5}", "traffic.0.requests.geometric=2")
    assert scenario.traffic[0].requests == Requests(geometric=2)


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ("-1", "traffic.0.requests", "at least 0"),
        ("10001", "traffic.0.requests", "at most 10,000"),
        ("2.5", "traffic.0.requests", "must be a mapping"),
        ("{}", "traffic.0.requests", "has none of constant, geometric, uniform"),
        ("{constant: 1, geometric: 2}", "traffic.0.requests.geometric", "stands beside constant"),
        ("{geometric: 0.5}", "traffic.0.requests.geometric", "at least 1"),
        ("{uniform: {from: 4, to: 1}}", "traffic.0.requests.uniform.from", "wrong way round"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(value: str, path: str, words: str) -> None:
    (found,) = complaints(SMALL, f"traffic.0.requests={value}")
    assert found.path == path
    assert words in found.message
