"""How far two runs agree: nothing apart from itself, and what is apart is told by its share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.measure.agreement import Agreement, agreements
from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Run

NAME = "client-backend connect-cost knee, % in use"

TEXT = """
title: short
kernel: {port_range: 50000-50099, time_wait: 500ms}
backends: {count: 2, ports: random, range: 20000-29999}
balancer: {retries: 0}
traffic:
  - {name: only, for: 3s, arrivals: {constant: 600/s}}
"""


@pytest.fixture
def done(tmp_path: Path) -> tuple[dict[str, Any], Run]:
    """A run with a wall, two backends and picks."""
    return modelled(TEXT, tmp_path)


def by_name(found: list[Agreement]) -> dict[str, Agreement]:
    return {one.name: one for one in found}


def test_a_run_agrees_with_itself(done: tuple[dict[str, Any], Run]) -> None:
    summary, run = done
    found = agreements(run, run, (summary, summary))
    assert all(one.error == 0 and one.holds for one in found)
    assert {
        "verdict balancer-source-ports", "ok", "ok per second", "picks one by one",
        "errors balancer-backend/connect/EADDRNOTAVAIL", "balancer-backend in_use",
    } <= set(by_name(found))  # fmt: skip


def test_counts_are_shares_of_the_kernels(done: tuple[dict[str, Any], Run]) -> None:
    summary, run = done
    attempts = summary["attempts"]
    other = {**summary, "attempts": {**attempts, "ok": round(attempts["ok"] * 1.03)}}
    ok = by_name(agreements(run, run, (summary, other)))["ok"]
    assert ok.error == pytest.approx(0.03, abs=0.001)
    assert not ok.holds
    assert ok.as_dict()["holds"] is False


def test_the_error_of_a_handful_is_noise(done: tuple[dict[str, Any], Run]) -> None:
    summary, run = done
    rare = {**summary["attempts"]["errors"], "client-balancer/recv/EOF": 1}
    other = {**summary, "attempts": {**summary["attempts"], "errors": rare}}
    found = by_name(agreements(run, run, (summary, other)))["errors client-balancer/recv/EOF"]
    assert found.error == pytest.approx(1 / 100)


def test_an_occupancy_is_apart_by_the_area_between(done: tuple[dict[str, Any], Run]) -> None:
    summary, run = done
    samples = []
    for sample in run.samples:
        hop = sample["hops"]["balancer-backend"]
        tenth = {**hop, "in_use": hop["in_use"] * 1.1}
        samples.append({**sample, "hops": {**sample["hops"], "balancer-backend": tenth}})
    found = by_name(agreements(run, replace(run, samples=samples), (summary, summary)))
    assert found["balancer-backend in_use"].error == pytest.approx(0.1)
    assert found["balancer-backend time_wait"].error == 0


def test_picks_are_compared_one_by_one(done: tuple[dict[str, Any], Run]) -> None:
    summary, run = done
    turned = {**run.dials, "backend": np.roll(run.dials["backend"], 1)}
    found = by_name(agreements(run, replace(run, dials=turned), (summary, summary)))
    assert found["picks one by one"].error == 1
    assert not found["picks one by one"].holds


def test_another_verdict_is_no_agreement(done: tuple[dict[str, Any], Run]) -> None:
    summary, run = done
    other = {**summary, "verdict": {**summary["verdict"], "code": "ok"}}
    assert not agreements(run, run, (summary, other))[0].holds


def test_a_knee_is_apart_by_the_share_of_the_budget(done: tuple[dict[str, Any], Run]) -> None:
    summary, run = done

    def told(knee: float | None, method: str = "order") -> dict[str, Any]:
        return {**summary, "connect_cost": {"client-backend": {"knee": knee, "method": method}}}

    def compared(*pair: dict[str, Any]) -> Agreement | None:
        return by_name(agreements(run, run, (pair[0], pair[1]))).get(NAME)

    same, near = compared(told(0.5), told(0.5)), compared(told(0.5), told(0.515))
    assert same is not None
    assert near is not None
    assert (same.error, same.kernel, same.holds) == (0.0, 50.0, True)
    assert near.error == pytest.approx(0.015)
    assert near.holds
    for other in (told(0.53), told(None), {**summary, "connect_cost": {}}):
        far = compared(told(0.5), other)
        assert far is not None
        assert not far.holds
    guessed = compared(told(0.5, "samples"), told(0.9))
    assert guessed is not None
    assert guessed.target is None
    assert compared(told(None), told(None)) is None
