"""Connects that met themselves: counted with and without a balancer, and told with the chance."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from simulator.measure.attribution import find_causes
from simulator.measure.self_connects import self_connects
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, scenario

if TYPE_CHECKING:
    from pathlib import Path

TRAFFIC = [{"name": "a", "for": "4s", "arrivals": {"constant": "10/s"}}]
BACKENDS = {"count": 1, "address": "shared", "ports": "fixed", "range": "50000-50000"}


def polling(driver: str) -> RunBuilder:
    """Forty connections in four seconds, all ok until set otherwise."""
    asked = scenario(
        kernel={"port_range": "50000-50099"},
        backends=BACKENDS,
        balancer={"driver": driver},
        traffic=TRAFFIC,
    )
    run = RunBuilder(scenario=asked).started().planned([i * 100 * MS for i in range(40)])
    for row in range(40):
        run.ok(row, backend=0 if driver == "none" else -1)
    return run.lease(0, 50_000, -1)


def verdict(run: RunBuilder, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = summarize(run.run(root))["verdict"]
    return found


def test_a_run_without_any(tmp_path: Path) -> None:
    run = polling("own").run(tmp_path)
    assert self_connects(run, find_causes(run)) is None


def test_what_failed_counts_though_the_dial_was_lost_with_its_worker(tmp_path: Path) -> None:
    run = polling("own").failed(12, Call.RECV, errno.ECONNRESET)
    run.refusal(12, Call.CONNECT, Ending.SELF_CONNECT, backend=0)
    found = verdict(run, tmp_path)
    assert found["code"] == "self-connect"
    assert found["evidence"]["self_connects"] == 1


def test_clients_that_met_themselves(tmp_path: Path) -> None:
    run = polling("none")
    for row in range(10, 30):
        error = Ending.SELF_CONNECT if row in (12, 20) else errno.ECONNREFUSED
        run.failed(row, Call.CONNECT, error, backend=0)
    found = verdict(run, tmp_path)
    assert (found["code"], found["hop"]) == ("self-connect", "client-backend")
    assert found["sentence"] == (
        "The clients connected to themselves 2 times, first after 1.2 s: nobody listened on "
        "127.4.0.1:50000, and the kernel lent that very port to a connect toward it, which then "
        "read its own request as the answer (1 in 10 of 20 tries; the others were refused); "
        "5.0 % of connections failed (SELF_CONNECT)."
    )
    assert "kernel.reserved_ports: [50000-50000]" in found["remedies"][0]
    assert "once in 50" in found["remedies"][2]  # 100 ports, one parity first
    assert found["evidence"]["expected"] == 20 / 50


def test_a_balancer_that_retried_counts_them_though_nobody_failed(tmp_path: Path) -> None:
    run = polling("own")
    for row in range(10, 30):
        run.dial(row * 100 * MS, error=Ending.SELF_CONNECT if row == 15 else errno.ECONNREFUSED)
        run.dial(row * 100 * MS + 1)
    summary = summarize(run.run(tmp_path))
    found = summary["verdict"]
    assert (found["code"], found["hop"]) == ("self-connect", "balancer-backend")
    assert found["sentence"].startswith("The balancer connected to itself 1 times, first after 1.5")
    assert found["evidence"]["retried"] == 1
    assert summary["attempts"]["failed"] == 0
    assert summary["backends"]["self_connects"] == 1
