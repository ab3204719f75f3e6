"""A leak of half-closed connections: whose it is, what it costs, and what only looks like it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.half_closed import forgetful_side
from simulator.measure.summary import summarize
from simulator.records import Call, Hop
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario

if TYPE_CHECKING:
    from pathlib import Path

HOP = Hop.BALANCER_BACKEND.label
TRAFFIC = [{"name": "a", "for": "4s", "arrivals": {"constant": "100/s"}}]


def half(held: int, *, side: str = "accept") -> dict[str, Any]:
    """A sample of a hop in which so many of 200 tuples are half-closed, forgotten by one side."""
    made = hop_sample(200, time_wait=10)
    told, waits = ("close_wait", "fin_wait") if side == "connect" else ("fin_wait", "close_wait")
    made |= {told: held, "other": held, "in_use": held + 10}
    made["worst"] |= {"other": held, "in_use": held + 10}
    made["accept_side"] |= {waits: held}
    return {HOP: made}


def leaking(accepted: int = 300, *, side: str = "accept", failed: bool = True) -> RunBuilder:
    """400 connections in 4 s; after 3 s every tuple is held, and what comes then finds none."""
    asked = scenario(
        kernel={"port_range": "50000-50199", "time_wait": "200ms"},
        backends={"count": 1, "ports": "random", "range": "20000-29999"},
        traffic=TRAFFIC,
    )
    run = RunBuilder(scenario=asked).started().planned([i * 10 * MS for i in range(400)])
    for row in range(400):
        run.ok(row)
        if row < 300:
            run.dial(row * 10 * MS)
            continue
        run.dial(row * 10 * MS, error=errno.EADDRNOTAVAIL)
        if failed:
            run.failed(row, Call.RECV, errno.ECONNRESET)
            run.refusal(row, Call.CONNECT, errno.EADDRNOTAVAIL)
    for place in range(40):
        run.sample(place * 100 * MS, half(min(190, 6 * place), side=side))
    return run.tick(4 * S, "backend", accepted=accepted)


def verdict(run: RunBuilder, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = summarize(run.run(root))["verdict"]
    return found


def test_the_backends_forget(tmp_path: Path) -> None:
    found = verdict(leaking(), tmp_path)
    assert (found["code"], found["hop"]) == ("half-closed-leak", HOP)
    assert found["sentence"] == (
        "The backends do not close what the balancer has closed: 190 connections waited in "
        "CLOSE_WAIT there and in FIN_WAIT at the balancer, and after 3.0 s none of 200 tuples was "
        "left; 25.0 % of connections failed (EADDRNOTAVAIL)."
    )
    assert found["evidence"]["forgets"] == "backends"
    assert "190 -> 0 tuples held, where 63.3/s" in found["remedies"][0]
    # 190 in 3 s, for 60 s + 60 s each; 200 / (190 / 3 s) = 3.16 s
    assert "63.3/s x (60 + 60) s = 7,600 tuples" in found["remedies"][1]
    assert "below 3.2 s" in found["remedies"][1]
    assert "balancer.close: reset" in found["remedies"][2]


def test_the_balancer_forgets(tmp_path: Path) -> None:
    run = leaking(side="connect")
    assert forgetful_side(run.run(tmp_path), Hop.BALANCER_BACKEND) == "connect"
    found = verdict(leaking(side="connect"), tmp_path / "again")
    assert found["code"] == "half-closed-leak"
    assert found["sentence"].startswith(
        "The balancer does not close what the backends have closed: 190 connections waited"
    )
    assert len(found["remedies"]) == 2, "the balancer's own patience mends nothing here"


def test_what_was_never_accepted_was_not_forgotten(tmp_path: Path) -> None:
    found = verdict(leaking(accepted=100), tmp_path)
    assert found["code"] == "balancer-source-ports"
    assert found["evidence"]["cause"] == "half-closed"


def test_retries_hide_no_leak(tmp_path: Path) -> None:
    found = verdict(leaking(failed=False), tmp_path)
    assert found["code"] == "half-closed-leak"
    assert found["evidence"]["failed"] == 0


@pytest.mark.parametrize("held", [0, 50])
def test_a_range_full_of_time_wait_is_no_leak(tmp_path: Path, held: int) -> None:
    run = leaking()
    run.lines = [line for line in run.lines if line[0] != "samples"]
    sample = half(held)
    sample[HOP] |= {"time_wait": 200 - held, "in_use": 200}
    sample[HOP]["worst"] |= {"time_wait": 200 - held, "in_use": 200}
    assert verdict(run.sample(3 * S, sample), tmp_path)["code"] == "balancer-source-ports"
