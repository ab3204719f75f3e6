"""Moves of a whole run: done as planned, told late, written down with leases that never overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.live.engine import KernelEngine
from simulator.measure.accounting import count_attempts
from simulator.measure.attribution import find_causes
from simulator.measure.moves import history, moves_table
from simulator.ports.lease import overlaps
from simulator.ports.quarantine import reused_early
from simulator.store.read import load_run
from simulator.traffic.churn import plan_moves
from tests.support.jobs import Watcher, steady, write_job
from tests.support.runs import MS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simulator.engine import Run
    from simulator.scenario.schema import Scenario

pytestmark = pytest.mark.namespace

REST_NS = 300 * MS


async def run(root: Path, asked: Scenario) -> Run:
    with write_job(root, asked) as writer:
        await KernelEngine().run(writer.job, writer, Watcher())
        return load_run(writer.folder)


def events(found: Run, name: str) -> list[Mapping[str, Any]]:
    return [event for event in found.events if event["event"] == name]


def moving(driver: str = "own", **churn: Any) -> Scenario:  # noqa: ANN401 - scenario values
    backends = {
        "count": 4,
        "processes": 2,
        "ports": "random",
        "range": "20000-20007",
        "quarantine": "300ms",
        "churn": churn,
    }
    balancer = {"learns_after": "50ms", "retries": 3, "driver": driver}
    return steady("900ms", backends=backends, balancer=balancer)


@pytest.mark.parametrize("how", ["drain", "crash", "hang"])
async def test_moves_happen_as_planned_and_are_told_late(tmp_path: Path, how: str) -> None:
    at = [{"time": "200ms"}, {"time": "400ms"}]
    asked = moving(leave=how, away="150ms", at=at)
    found = await run(tmp_path, asked)
    planned = plan_moves(asked)
    (written,) = events(found, "moves-planned")
    assert written["moves"] == [[one.t_ns, one.backend, one.action, one.how] for one in planned]

    done = [event for event in found.events if event["event"] in ("backend-left", "backend-back")]
    assert [(one["backend"], one.get("how", "")) for one in done] == [
        (one.backend, one.how) for one in planned
    ]
    late = [one["t_ns"] - move.t_ns for one, move in zip(done, planned, strict=True)]
    assert min(late) >= 0
    told = events(found, "membership")
    assert [[row[0] for row in one["insert"]] or one["remove"] for one in told] == [
        [one["backend"]] for one in done
    ]
    for told_of, event in zip(told, done, strict=True):
        assert told_of["t_ns"] >= event["t_ns"] + asked.balancer.learns_after

    held = history(found)
    assert len(held) == 4 + 2
    assert all(one.to_ns is not None for one in held)
    assert overlaps(held) == []
    assert reused_early(held, REST_NS) == []
    attempts = count_attempts(found.connections, find_causes(found).count_by_key())
    assert attempts.sent == attempts.planned == 90
    table = moves_table(found)
    assert (table["left"], table["back"], table["misdelivered"]) == (2, 2, 0)
    if how == "drain":
        assert attempts.ok == 90  # a refused dial is retried elsewhere


async def test_a_schedule_brings_backends_and_takes_them(tmp_path: Path) -> None:
    scale = [
        {"time": "0s", "count": 1},
        {"time": "200ms", "count": 4},
        {"time": "600ms", "count": 2},
    ]
    found = await run(tmp_path, moving(scale=scale))
    assert sorted(event["backend"] for event in events(found, "backend-back")) == [1, 2, 3]
    assert sorted(event["backend"] for event in events(found, "backend-left")) == [2, 3]
    picked = found.dials["backend"]
    moments = found.dials["t_ns"]
    assert set(picked[moments < 200 * MS]) == {0}
    assert set(picked[(moments > 350 * MS) & (moments < 600 * MS)]) == {0, 1, 2, 3}
    assert set(picked[moments > 750 * MS]) == {0, 1}


async def test_who_finds_no_port_waits_for_one(tmp_path: Path) -> None:
    at = [{"time": "200ms", "backends": "all", "leave": "crash", "away": "50ms"}]
    backends = {
        "count": 2,
        "ports": "random",
        "range": "20000-20001",
        "quarantine": "200ms",
        "churn": {"at": at},
    }
    found = await run(tmp_path, steady("800ms", backends=backends))
    assert events(found, "backend-waits")
    back = events(found, "backend-back")
    assert len(back) == 2
    assert reused_early(history(found), 200 * MS) == []


async def test_clients_that_pick_themselves_are_told_too(tmp_path: Path) -> None:
    at = [{"time": "200ms", "backends": 2, "leave": "drain", "away": "200ms"}]
    found = await run(tmp_path, moving(driver="none", at=at))
    told = events(found, "membership")
    assert {one["role"] for one in told} == {"client"}
    assert len(told) == 4
    assert moves_table(found)["misdelivered"] == 0
