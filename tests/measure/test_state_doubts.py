"""Doubts from socket states: a leak is named with its hop, a TIME_WAIT left out with its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.measure.state_doubts import OVERFLOW, state_doubts
from simulator.measure.summary import summarize
from simulator.records import Hop
from tests.measure.test_half_closed import series
from tests.support.runs import RunBuilder, S

if TYPE_CHECKING:
    from pathlib import Path

HOPS = [Hop.CLIENT_BALANCER, Hop.BALANCER_BACKEND]


def test_a_growing_leak_is_doubted_on_its_hop(tmp_path: Path) -> None:
    run = series(list(range(0, 200, 10))).run(tmp_path)
    ((code, message, remedy),) = state_doubts(run, HOPS, {})
    assert code == "half-closed"
    assert message.startswith("190 connections of balancer-backend were closed by one side only")
    assert "close the descriptor" in remedy


def test_time_wait_that_was_left_out_is_doubted(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).run(tmp_path)
    ((code, message, _),) = state_doubts(run, HOPS, {OVERFLOW: 1200})
    assert code == "time-wait-overflow"
    assert message.startswith("1,200 closed connections got no TIME_WAIT")
    assert state_doubts(run, HOPS, {OVERFLOW: 0}) == []


def test_neither_makes_a_run_invalid(tmp_path: Path) -> None:
    run = series(list(range(0, 200, 10))).sample(9 * S, {}, counters={OVERFLOW: 3})
    summary = summarize(run.run(tmp_path))
    codes = {doubt["code"] for doubt in summary["doubts"]}
    assert {"half-closed", "time-wait-overflow"} <= codes
    assert summary["valid"]
