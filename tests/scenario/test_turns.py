"""The grammar of `users` and `retry`: what reads back, and what does not go together."""

from __future__ import annotations

import pytest

from simulator.scenario.load import resolved
from simulator.scenario.schema import Scenario
from tests.support.scenarios import SMALL, complaints, loaded, small

TWO = SMALL + "  - {name: second, for: 1s, arrivals: {constant: 1/s}}\n"
USERS = "traffic.0.users={count: 3, think: 10ms}"


@pytest.mark.parametrize(
    ("flag", "loop"),
    [(USERS, "closed"), ("clients.retry={}", "open"), ("clients.retry.jitter=full", "open")],
)
def test_both_read_back(flag: str, loop: str) -> None:
    scenario = small(flag)
    assert scenario.loop == loop
    assert Scenario.model_validate(resolved(scenario)) == scenario


def test_users_take_the_place_of_arrivals() -> None:
    phase = small(USERS).traffic[0]
    assert phase.arrivals is None
    assert phase.users is not None


@pytest.mark.parametrize(
    ("flags", "path", "words"),
    [
        (["clients.retry.attempts=1"], "clients.retry.attempts", "at least 2"),
        (["clients.retry.backoff=0ms"], "clients.retry.backoff", "more than 0s"),
        (["clients.retry.factor=0.5"], "clients.retry.factor", "at least 1"),
        (["clients.retry.jitter=some"], "clients.retry.jitter", "must be one of none, full"),
        ([USERS, "clients.retry={}"], "clients.retry", "is not there for users yet"),
        (
            ["traffic.0.hold={connections: 2}", "clients.retry={}"],
            "clients.retry",
            "is not there for hold yet",
        ),
        (["traffic.0.users={count: 0, think: 1s}"], "traffic.0.users.count", "at least 1"),
        (["traffic.0.users={count: 1, think: 10us}"], "traffic.0.users.think", "at least"),
        (["traffic.0.users={count: 1}"], "traffic.0.users.think", "is missing"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(flags: list[str], path: str, words: str) -> None:
    (found,) = complaints(SMALL, *flags)
    assert found.path == path
    assert words in found.message


def test_open_and_closed_loops_do_not_stand_in_one_scenario() -> None:
    (found,) = complaints(TWO, "traffic.1.users={count: 3, think: 10ms}")
    assert found.path == "traffic.1.users"
    assert "stands beside open loops" in found.message
    both = loaded(TWO, USERS, "traffic.1.users={count: 3, think: 10ms}").scenario
    assert both.loop == "closed"
