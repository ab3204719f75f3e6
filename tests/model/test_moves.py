"""Backends that move in the model: the planned moves, told late, and what connections meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.measure.backends import leases
from simulator.measure.moves import history
from simulator.ports.lease import overlaps
from simulator.ports.quarantine import reused_early
from simulator.traffic.churn import plan_moves
from tests.support.modelled import modelled, modelled_file

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000

TEXT = """
title: one leaves
kernel: {port_range: 50000-59999, time_wait: 500ms}
backends:
  count: 4
  ports: random
  range: 20000-29999
  service_time: 40ms
  churn: {at: [{time: 500ms, backends: 1, leave: drain, away: 300ms}]}
balancer: {policy: round-robin, retries: 2, learns_after: 100ms, close: backend}
traffic:
  - {name: only, for: 2s, arrivals: {constant: 400/s}}
"""


@pytest.mark.parametrize("how", ["drain", "crash", "hang"])
def test_how_a_backend_leaves_decides_what_fails(tmp_path: Path, how: str) -> None:
    summary, run = modelled(TEXT.replace("leave: drain", f"leave: {how}"), tmp_path)
    backends = summary["backends"]
    assert (backends["left"], backends["back"], backends["overlaps"]) == (1, 1, 0)
    # 400/s / 4 = 100/s: four are open after 40 ms each. Of the picks one in four goes to the old
    # place until the balancer knows, and each refusal brings another pick: 400/s / 3 x 100 ms.
    open_then, dialed_after = 4, 10 if how == "hang" else 400 / 3 * 0.1
    failed = summary["attempts"]["failed"]
    if how == "hang":
        assert failed == pytest.approx(open_then + dialed_after, abs=2)
        assert backends["refused_after_move"] == 0
    else:
        assert failed == (0 if how == "drain" else pytest.approx(open_then, abs=1))
        assert backends["refused_after_move"] == pytest.approx(dialed_after, abs=1)
    moves = [one for one in run.events if one["event"] == "moves-planned"]
    planned = [[one.t_ns, one.backend, one.action, one.how] for one in plan_moves(run.scenario)]
    assert moves[0]["moves"] == planned


def test_whoever_picks_is_told_late(tmp_path: Path) -> None:
    _, run = modelled(TEXT, tmp_path)
    told = [one["t_ns"] for one in run.events if one["event"] == "membership"]
    assert told == [600 * MS, 900 * MS]


def test_a_port_is_never_held_twice_and_rests_in_quarantine(tmp_path: Path) -> None:
    for variant, (summary, run) in modelled_file("quarantine", tmp_path).items():
        assert all(one["holds"] for one in summary["thresholds"]), variant
        held = history(run)
        assert overlaps(held) == []
        if variant == "with":
            assert reused_early(held, 2_000 * MS) == []
            assert summary["backends"]["misdelivered"] == 0


def test_a_drained_backends_port_is_its_connections_until_they_end(tmp_path: Path) -> None:
    text = TEXT.replace("20000-29999", "20000-20003").replace("40ms", "400ms")
    summary, run = modelled(text, tmp_path, "balancer.close=reset")
    # Its own old port has connections until 900 ms, and the three others are held.
    assert summary["backends"]["waits"] >= 1
    [back] = [one["t_ns"] for one in run.events if one["event"] == "backend-back"]
    assert back >= 900 * MS


def test_every_lease_has_its_end(tmp_path: Path) -> None:
    summary, run = modelled(TEXT, tmp_path)
    found = leases(run)
    assert len(found) == 5
    assert all(one["to_ns"] is not None for one in found)
    assert summary["backends"]["moves"] == 1


@pytest.mark.parametrize("ports", ["kernel", "permanent", "sequential", "nomad", "blocks"])
def test_every_allocator_gives_each_backend_a_port(tmp_path: Path, ports: str) -> None:
    text = TEXT.replace("ports: random\n  range: 20000-29999", f"ports: {ports}")
    summary, run = modelled(text, tmp_path)
    assert summary["attempts"]["failed"] == 0
    assert overlaps(history(run)) == []


def test_backend_churn_keeps_its_promises(tmp_path: Path) -> None:
    for variant, (summary, _) in modelled_file("backend-churn", tmp_path).items():
        assert all(one["holds"] for one in summary["thresholds"]), variant
