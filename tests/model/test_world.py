"""All parts together: nothing is lost between them, whatever a scenario asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.world import World
from simulator.records import Outcome
from simulator.traffic.plan import make_plan
from tests.support.runs import scenario

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

MODES = ["kernel", "early-bind", "late-bind", "socket-range", "userspace", "permanent"]


def play(asked: Scenario) -> World:
    world = World(asked, make_plan(asked).files, lambda _stream, _line: None)
    world.begin()
    world.run_until(asked.duration_ns + asked.grace)
    return world


@settings(max_examples=40)
@given(
    mode=st.sampled_from(MODES),
    close=st.sampled_from(["client", "balancer", "backend", "reset"]),
    driver=st.sampled_from(["own", "none"]),
    policy=st.sampled_from(["round-robin", "random", "least-connections", "two-choices"]),
    leave=st.sampled_from(["drain", "crash", "hang"]),
    extra=st.sampled_from(
        [
            {},
            {"concurrency": 1},
            {"faults": {"error_rate": 0.2}},
            {"faults": {"hanging": 1}, "refusing": 1},
            {"idle_timeout": "15ms"},
        ]
    ),
    retries=st.booleans(),
)
def test_every_connection_has_one_end_and_every_tuple_comes_back(
    mode: str,
    close: str,
    driver: str,
    policy: str,
    leave: str,
    extra: dict[str, Any],
    retries: bool,
) -> None:
    if driver == "none" and close == "balancer":
        close = "client"
    asked = scenario(
        kernel={"port_range": "50000-50019", "time_wait": "100ms"},
        backends={
            "count": 3, "ports": "random", "range": "20000-20009", "service_time": "10ms",
            "churn": {"rate": "10/s", "away": "50ms", "leave": leave}, **extra,
        },
        balancer={
            "driver": driver, "policy": policy, "close": close, "idle_timeout": "60ms",
            "source": {"ports": mode},
        },
        clients={
            "timeout": "80ms", "processes": 2, "source": {"range": "30000-40000"},
            **({"retry": {"attempts": 2, "backoff": "20ms"}} if retries else {}),
        },
        traffic=[
            {
                "name": "only", "for": "500ms", "arrivals": {"poisson": "300/s"},
                "requests": 2, "lifetime": {"exponential": "20ms"},
            }
        ],
        grace="5s",
    )  # fmt: skip
    world = play(asked)
    records = world.records
    outcome = np.array(records.outcome)
    assert world.open == 0
    assert records.sent_count == records.ok_count + records.failed_count
    ended = np.isin(outcome, (Outcome.OK, Outcome.FAILED, Outcome.NOT_SENT_NEEDLESS))
    assert ended.all()
    for hop in world.sample().values():
        # What nobody closes for good, and early bind's minute, stays; nothing else is open.
        assert hop["established"] == 0


def test_the_moment_of_an_end_makes_room_for_who_comes_in_it() -> None:
    asked = scenario(
        kernel={"port_range": "50000-50000", "time_wait": "100ms"},
        backends={"ports": "random", "range": "20000-20009"},
        traffic=[{"name": "only", "for": "1s", "arrivals": {"constant": "10/s"}}],
    )
    world = play(asked)
    assert world.records.failed_count == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_each_role_has_its_line(workers: int) -> None:
    asked = scenario(balancer={"workers": workers}, clients={"processes": 2})
    lines = play(asked).role_counters()
    assert [(one["role"], one["index"]) for one in lines] == [
        *(("client", at) for at in range(2)),
        *(("balancer", at) for at in range(workers)),
        ("backend", 0),
    ]
    assert sum(one["sent"] for one in lines if one["role"] == "client") == 100
    assert sum(one["accepted"] for one in lines if one["role"] == "balancer") == 100
    assert not any("user_ns" in one or "rss_bytes" in one for one in lines)
