"""Refusals laid to a backend's stops: by backend and moment, and told with their arithmetic."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simulator.measure.attribution import find_causes
from simulator.measure.flapping import Flaps, down_times, flaps
from simulator.measure.summary import summarize
from simulator.records import Call
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

TRAFFIC = [{"name": "a", "for": "4s", "arrivals": {"constant": "10/s"}}]
REFUSED = "balancer-backend/connect/ECONNREFUSED"


def flapped() -> RunBuilder:
    """Forty connections in four seconds; backend 0 is down in the second second, and at the end."""
    asked = scenario(traffic=TRAFFIC, backends={"count": 2}, balancer={"retries": 0})
    run = RunBuilder(scenario=asked).started().planned([i * 100 * MS for i in range(40)])
    for row in range(40):
        run.ok(row)
    run.event("backend-down", S, backend=0).event("backend-up", 2 * S, backend=0)
    return run.event("backend-down", 3900 * MS, backend=0)


def refused(run: RunBuilder, row: int, backend: int) -> RunBuilder:
    run.failed(row, Call.RECV, errno.ECONNRESET)
    run.refusal(row, Call.CONNECT, errno.ECONNREFUSED, backend=backend)
    return run.dial(row * 100 * MS, backend=backend, error=errno.ECONNREFUSED)


def found(run: RunBuilder, root: Path) -> Flaps | None:
    read = run.run(root)
    return flaps(read, find_causes(read))


def test_without_stops_there_is_nothing_to_lay_to_them(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0)
    assert found(run, tmp_path) is None


def test_who_is_still_down_at_the_end_was_so_to_the_end(tmp_path: Path) -> None:
    assert down_times(flapped().run(tmp_path)) == {0: [(S, 2 * S), (3900 * MS, 4 * S)]}


def test_only_its_own_refusals_while_it_was_down_count(tmp_path: Path) -> None:
    run = refused(refused(refused(flapped(), 15, 0), 16, 1), 30, 0)
    run.dial(1700 * MS, backend=0, error=errno.ECONNREFUSED)  # a retry saved this one
    run.dial(1700 * MS, backend=0)
    told = found(run, tmp_path)
    assert told is not None
    assert told.errors == {REFUSED: 1}
    assert (told.downs, told.backends, told.down_ns, told.refused) == (2, (0,), 1100 * MS, 2)


def test_the_verdict_and_the_table(tmp_path: Path) -> None:
    run = flapped()
    for row in (11, 13, 15, 17):
        refused(run, row, 0)
    summary = summarize(run.run(tmp_path))
    verdict = summary["verdict"]
    assert (verdict["code"], verdict["hop"]) == ("backend-flapping", "balancer-backend")
    assert verdict["sentence"] == (
        "1 of 2 backends flapped: they stopped listening 2 times, for 550ms each, and kept their "
        "ports; 4 connects were refused meanwhile; 10.0 % of connections failed (ECONNREFUSED)."
    )
    # Down for 1.1 of 4 s, and every other pick is its: 13.75 %; with a retry the square of it.
    assert "28 % of the time" in verdict["remedies"][0]
    assert "14 % -> 1.9 % of connections fail" in verdict["remedies"][1]
    assert summary["backends"]["flaps"] == 2
    assert summary["backends"]["refused_while_down"] == 4
