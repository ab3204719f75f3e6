"""A foreign balancer in a summary: its name and counters, and what its log left out."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simulator.measure.driver import (
    driver_doubts,
    driver_notes,
    driver_table,
    foreign_connects,
)
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, scenario

if TYPE_CHECKING:
    from pathlib import Path


def served(econ: int, *, failed: int = 2) -> RunBuilder:
    """Four connections behind HAProxy, some sent away and told of by its log."""
    run = RunBuilder(scenario=scenario(balancer={"driver": "haproxy"})).started()
    run.planned([at * MS for at in range(4)])
    for row in range(4):
        if row < failed:
            run.failed(row, Call.RECV, Ending.EOF)
            run.refusal(row, Call.CONNECT, errno.EADDRNOTAVAIL)
            run.dial(row * MS + MS, error=errno.EADDRNOTAVAIL)
        else:
            run.ok(row)
    run.event("driver", -1, driver="haproxy", version="2.6", pid=7, config="balancer/haproxy.cfg")
    counts = {"econ": econ, "wretr": 3}
    return run.tick(10 * MS, "balancer", accepted=4, refused=failed, haproxy=counts)


def test_it_is_named_with_version_configuration_and_its_own_counters(tmp_path: Path) -> None:
    assert driver_table(served(2).run(tmp_path)) == {
        "name": "haproxy",
        "version": "2.6",
        "config": "balancer/haproxy.cfg",
        "counters": {"econ": 2, "wretr": 3},
    }


def test_failures_are_laid_to_the_cause_that_its_log_told(tmp_path: Path) -> None:
    summary = summarize(served(2).run(tmp_path))
    assert summary["verdict"]["code"] == "balancer-source-ports"
    assert summary["attempts"]["errors"] == {"balancer-backend/connect/EADDRNOTAVAIL": 2}
    assert summary["attributed"] == 2
    assert "balancer-backend" not in summary["connect_cost"]  # it tells of no connect's time


def test_what_its_log_lost_is_a_doubt(tmp_path: Path) -> None:
    assert driver_doubts(served(2).run(tmp_path / "all")) == []
    ((code, message, _),) = driver_doubts(served(500).run(tmp_path / "some"))
    assert code == "driver-log"
    assert "500" in message


def test_what_cannot_be_known_is_said(tmp_path: Path) -> None:
    run = served(2).run(tmp_path)
    (note,) = driver_notes(run)
    assert "haproxy 2.6" in note
    assert foreign_connects(run) == 2


def test_our_own_balancer_is_none_of_that(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0).run(tmp_path)
    assert driver_table(run) is None
    assert driver_notes(run) == []
    assert driver_doubts(run) == []
