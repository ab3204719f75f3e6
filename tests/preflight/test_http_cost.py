"""How busy HTTP backends will be, by arithmetic, and nothing said of other kinds."""

from __future__ import annotations

import pytest

from simulator.preflight.http_cost import BUSY, CONNECTION_S, REQUEST_S, http_notes
from simulator.traffic.plan import make_plan
from tests.support.scenarios import small

HTTP = "backends.kind=http"
TEN = "traffic.0.requests=10"


@pytest.mark.parametrize("kind", ["stream", "echo"])
def test_other_kinds_are_not_spoken_of(kind: str) -> None:
    scenario = small(f"backends.kind={kind}")
    assert http_notes(scenario, make_plan(scenario), 10.0) == ()


def test_the_sum_is_shown() -> None:
    scenario = small(HTTP, TEN)
    (note,) = http_notes(scenario, make_plan(scenario), 10.0)
    cores = 10 * (CONNECTION_S + 10 * REQUEST_S)
    assert f"{cores:.2f} cores, of 1 process" in note
    assert "limit" not in note


def test_who_will_be_the_limit_is_told_how_many_processes_it_takes() -> None:
    scenario = small(HTTP, TEN, "backends.count=8", "backends.processes=2")
    rate = 2 * 2 * BUSY / (CONNECTION_S + 10 * REQUEST_S)  # twice what two processes may do
    (note,) = http_notes(scenario, make_plan(scenario), rate * 0.99)
    assert "they will be the limit; set backends.processes: 4" in note
    enough = small(HTTP, TEN, "backends.count=8", "backends.processes=4")
    assert "limit" not in http_notes(enough, make_plan(enough), rate * 0.99)[0]
