"""What the wrong backend answered: counted from dials and leases, and told with its arithmetic."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from simulator.measure.misdelivery import misdelivered
from simulator.measure.summary import summarize
from simulator.records import Call
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

TRAFFIC = [{"name": "a", "for": "4s", "arrivals": {"constant": "10/s"}}]
BACKENDS = {"count": 2, "ports": "random", "range": "20000-20003"}


def moved() -> RunBuilder:
    """Backend 0 leaves port 20000 at 1 s, backend 1 takes it at 2 s; all is told at 3 s."""
    asked = scenario(traffic=TRAFFIC, backends=BACKENDS, balancer={"learns_after": "1s"})
    run = RunBuilder(scenario=asked).started().planned([i * 100 * MS for i in range(40)])
    for row in range(40):
        run.ok(row)
    run.lease(0, 20_000, -S, 1 * S).lease(1, 20_001, -S, 1 * S)
    run.lease(1, 20_000, 2 * S).lease(0, 20_002, 2 * S)
    for backend in (0, 1):
        run.event("backend-left", S, backend=backend, how="crash", open=0)
    run.event("membership", 3 * S, role="balancer", index=0, insert=[], remove=[0, 1])
    return run


def verdict(run: RunBuilder, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = summarize(run.run(root))["verdict"]
    return found


def test_without_moves_nothing_is_misdelivered(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0).dial(MS)
    assert misdelivered(run.run(tmp_path)) is None


def test_only_what_was_answered_counts(tmp_path: Path) -> None:
    run = moved().dial(5 * S // 2, backend=0).dial(5 * S // 2 + MS, backend=0)
    run.dial(5 * S // 2, backend=0, error=errno.ETIMEDOUT)  # went there, and was not taken
    run.dial(5 * S // 2, backend=1, error=errno.ECONNREFUSED)  # 20001 is nobody's
    found = misdelivered(run.run(tmp_path))
    assert found is not None
    assert (found.count, found.meant_for, found.first_ns) == (2, (0,), 5 * S // 2)


def test_the_verdict_says_how_long_a_port_must_rest(tmp_path: Path) -> None:
    found = verdict(moved().dial(5 * S // 2, backend=0).dial(26 * S // 10, backend=0), tmp_path)
    assert (found["code"], found["hop"]) == ("misdelivery", "balancer-backend")
    assert found["sentence"] == (
        "2 connections were answered by the wrong backend, and nothing failed: 1 of 2 backends had "
        "moved, others had taken their old ports, and who picks was told 1s late."
    )
    # 1 s until the balancer is told, and 3 s that it gives a connect.
    assert "backends.quarantine: none -> 4s = 1s until" in found["remedies"][0]
    assert "2 -> 1" in found["remedies"][1]
    assert "2/4, with ten times the ports 2/40" in found["remedies"][2]
    assert found["evidence"]["enough_ns"] == 4 * S


def refused(run: RunBuilder, rows: range) -> RunBuilder:
    for row in rows:
        run.failed(row, Call.RECV, errno.ECONNRESET)
        run.refusal(row, Call.CONNECT, errno.ECONNREFUSED, backend=0)
        run.dial(row * 100 * MS, backend=0, error=errno.ECONNREFUSED)
    return run


def test_refusals_of_the_same_departures_are_no_rival_of_a_wrong_answer(tmp_path: Path) -> None:
    run = refused(moved(), range(11, 19)).dial(5 * S // 2, backend=0)
    assert verdict(run, tmp_path)["code"] == "misdelivery"


def test_without_a_wrong_answer_refusals_are_the_cost_of_moving(tmp_path: Path) -> None:
    assert verdict(refused(moved(), range(11, 19)), tmp_path)["code"] == "backend-churn"


def test_what_costs_more_has_the_word(tmp_path: Path) -> None:
    run = moved().dial(5 * S // 2, backend=0)
    for row in (5, 6):
        run.failed(row, Call.RECV, errno.ECONNRESET)
        run.refusal(row, Call.CONNECT, errno.EADDRNOTAVAIL)
    assert verdict(run, tmp_path)["code"] == "balancer-source-ports"
