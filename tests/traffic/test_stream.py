"""A plan drawn in parts is the plan, row by row, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.scenario.phases import MAX_CONNECTIONS
from simulator.traffic.plan import make_plan
from simulator.traffic.stream import (
    cannot_be_drawn,
    is_too_long,
    no_rows,
    planned,
    stream_plan,
)
from tests.support.runs import scenario
from tests.support.scenarios import small

RATES: list[Any] = [
    "900/s",
    {"from": "100/s", "to": "1500/s"},
    {"steps": [{"rate": "50/s", "for": "500ms"}, {"rate": "900/s", "for": "500ms"}]},
    {"bursts": {"rate": "900/s", "on": "30ms", "off": "20ms"}},
    {"sine": {"mean": "600/s", "amplitude": "500/s", "period": "300ms"}},
]
TIMES: list[Any] = [
    "0ms",
    {"exponential": "3ms"},
    {"lognormal": {"median": "3ms", "sigma": 1.0}},
    {"pareto": {"scale": "1ms", "alpha": 1.5, "cap": "1s"}},
    {"bimodal": {"fast": "1ms", "slow": "1s", "share": 0.1}},
]


@settings(max_examples=40)
@given(
    shape=st.sampled_from(["poisson", "constant"]),
    rate=st.sampled_from(RATES),
    lifetime=st.sampled_from(TIMES),
    service=st.sampled_from(TIMES),
    requests=st.integers(0, 1),
    rows=st.sampled_from([1, 7, 100, 1 << 18]),
    seed=st.integers(0, 1000),
)
def test_the_parts_are_the_plan(
    shape: str,
    rate: Any,  # noqa: ANN401 - as in a scenario
    lifetime: Any,  # noqa: ANN401
    service: Any,  # noqa: ANN401
    requests: int,
    rows: int,
    seed: int,
) -> None:
    phase = {"for": "1s", "arrivals": {shape: rate}, "lifetime": lifetime, "requests": requests}
    asked = scenario(
        seed=seed,
        backends={"service_time": service},
        traffic=[{"name": "one", **phase}, {"name": "two", **phase, "requests": 1}],
    )
    plan = make_plan(asked)
    parts = list(stream_plan(asked, rows))
    columns, service_ns = plan.columns, plan.service_ns
    assert [one.first for one in parts] == np.cumsum([0, *(len(p.due_ns) for p in parts)])[
        :-1
    ].tolist()
    assert max(len(one.due_ns) for one in parts) <= rows
    for part in parts:
        there = slice(part.first, part.first + len(part.due_ns))
        assert np.array_equal(part.due_ns, columns["due_ns"][there])
        assert np.all(part.lifetime_ns == columns["lifetime_ns"][there])
        assert set(columns["phase"][there]) == {part.phase}
        assert set(columns["requests"][there]) == {part.requests}
        if part.requests:
            first = int(columns["first_service"][part.first])
            assert np.all(part.service_ns == service_ns[first : first + len(part.due_ns)])
        else:
            assert part.service_ns.tolist() == [0]
    assert sum(len(one.due_ns) for one in parts) == plan.connections


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (("clients.retry={attempts: 2}",), "wait for others"),
        (("traffic.only.requests=2",), "not 0 or 1"),
        (("traffic.only.think=1ms",), "think"),
    ],
)
def test_what_later_rows_change_is_named(changes: tuple[str, ...], reason: str) -> None:
    assert not cannot_be_drawn(small())
    [found] = cannot_be_drawn(small(*changes))
    assert reason in found


def test_connections_that_are_held_have_no_rate() -> None:
    asked = scenario(traffic=[{"name": "held", "for": "1s", "hold": {"connections": 5}}])
    assert cannot_be_drawn(asked) == ["traffic.held has no rate"]


def test_a_plan_is_too_long_beyond_what_is_kept() -> None:
    asked = small("traffic.only.arrivals={constant: 1000000/s}", "traffic.only.for=5s")
    assert planned(asked) == MAX_CONNECTIONS
    assert not is_too_long(asked)
    assert is_too_long(small("traffic.only.arrivals={constant: 1000000/s}", "traffic.only.for=6s"))
    users = scenario(
        traffic=[{"name": "users", "for": "1s", "users": {"count": 3, "think": "10ms"}}]
    )
    assert planned(users) == 0


def test_no_rows_have_the_columns_of_a_plan() -> None:
    asked = small()
    assert no_rows(asked).connections == 0
    assert set(no_rows(asked).files) == set(make_plan(asked).files)
