"""From a scenario's policy to its object."""

from __future__ import annotations

from typing import get_args

import pytest

from simulator.balancing.load import Load, RankedLoad
from simulator.balancing.policies.choices import Choices
from simulator.balancing.policies.select import select_load, select_policy
from simulator.scenario.balancer import Policy as PolicyOfScenario
from simulator.seeds import pure_random


@pytest.mark.parametrize(
    "name", get_args(PolicyOfScenario.model_fields["name"].annotation), ids=str
)
def test_every_policy_that_a_scenario_can_name_picks(name: str) -> None:
    policy, load = select_policy(name, 2, pure_random(1)), select_load(name)
    load.insert(0)
    assert policy.pick([0], load, ()) == 0


def test_only_least_connections_pays_for_a_ranking() -> None:
    assert isinstance(select_load("least-connections"), RankedLoad)
    assert type(select_load("two-choices")) is Load


def test_the_number_of_choices_is_taken_over() -> None:
    policy = select_policy("choices", 5, pure_random(1))
    assert isinstance(policy, Choices)
    load = select_load("choices")
    for number in range(5):
        load.insert(number)
        load.open[number] = number
    # Five of five are all: the least loaded is always among them.
    assert {policy.pick(range(5), load, ()) for _ in range(50)} == {0}


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="fairest"):
        select_policy("fairest", 2, pure_random(1))
