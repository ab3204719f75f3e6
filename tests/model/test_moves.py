"""Backends that move in the model: the planned moves, told late, and what connections meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.measure.backends import leases
from simulator.measure.moves import history
from simulator.ports.lease import overlaps
from simulator.ports.quarantine import reused_early
from simulator.records import Ending, Outcome
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


#: One of four hangs from 500 ms on for good; round robin, and 400/s of 40 ms: 4 are open there, and
#: 100/s x 100 ms = 10 more are sent there until the balancer knows.
FOR_GOOD = TEXT.replace("drain, away: 300ms", "hang") + "grace: 5s\n"


@pytest.mark.parametrize(
    ("driver", "limits", "error", "after_ms"),
    [
        ("own", ("clients.timeout=800ms", "balancer.idle_timeout=60s"), Ending.TIMEOUT, 800),
        ("own", ("clients.timeout=20s", "balancer.idle_timeout=700ms"), Ending.EOF, 700),
        ("none", ("clients.timeout=800ms",), Ending.TIMEOUT, 800),
    ],
)
def test_who_waits_for_one_that_hangs_for_good_ends_by_the_first_limit(
    tmp_path: Path, driver: str, limits: tuple[str, ...], error: int, after_ms: int
) -> None:
    summary, run = modelled(FOR_GOOD, tmp_path, f"balancer.driver={driver}", *limits)
    attempts = summary["attempts"]
    assert attempts["open_at_end"] == 0
    assert attempts["sent"] == attempts["ok"] + attempts["failed"] == 800
    assert attempts["failed"] == pytest.approx(4 + 10, abs=2)
    rows = run.connections
    lost = rows["outcome"] == Outcome.FAILED
    assert set(rows["error"][lost].tolist()) == {error}
    assert set((rows["closed_ns"] - rows["sent_ns"])[lost].tolist()) == {after_ms * MS}


@pytest.mark.parametrize(("timeout_ms", "idle_ms"), [(450, 400), (5_000, 400), (5_000, 120)])
def test_an_answer_that_stops_midway_counts_from_its_last_bytes(
    tmp_path: Path, timeout_ms: int, idle_ms: int
) -> None:
    given = (
        *("backends.stream={chunk: 64B, every: 100ms}", "traffic.only.response_size=1024B"),
        *(f"clients.timeout={timeout_ms}ms", f"balancer.idle_timeout={idle_ms}ms"),
        *("backends.service_time=0ms", "traffic.only.arrivals.constant=4/s"),
        *("backends.count=1", "balancer.learns_after=5s"),
    )
    _, run = modelled(FOR_GOOD.replace("time: 500ms", "time: 530ms"), tmp_path, *given)
    closed_ms = (run.connections["closed_ns"][:2] // MS).tolist()
    # Sent at 0 and 250 ms with a chunk every 100 ms, so the last before 530 ms came at 500 and 450.
    last = {0: 500, 250: 450}
    assert closed_ms == [min(at + timeout_ms, last[at] + idle_ms) for at in last]


@pytest.mark.parametrize("half_close", [True, False])
def test_a_client_that_ends_while_its_backend_hangs_leaves_half_or_nothing(
    tmp_path: Path, half_close: bool
) -> None:
    given = (
        *("backends.count=1", "backends.service_time=2ms", "kernel.time_wait=200ms"),
        *("backends.churn={at: [{time: 249ms, backends: 1, leave: hang, away: 1900ms}]}",),
        *("balancer.close=client", "balancer.learns_after=1s", "traffic.only.for=250ms"),
        *("traffic.only.arrivals.constant=100/s", "traffic.only.lifetime=400ms"),
        f"balancer.half_close={str(half_close).lower()}",
    )
    summary, _ = modelled(TEXT, tmp_path, *given)
    # All were answered before it hung, and end at 400 to 650 ms. Their upper halves wait for a
    # backend that ends nothing, or rest in TIME_WAIT: 100/s x 200 ms.
    upstream = summary["hops"][1]
    assert summary["attempts"]["ok"] == 25
    assert upstream["established_peak"] == 25
    assert upstream["time_wait_peak"] == (0 if half_close else 20)


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
