"""The relay of the model picks, dials and retries as the kernel engine's, from the same streams."""

from __future__ import annotations

import errno
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.balancing.load import Load
from simulator.balancing.policies.select import select_policy
from simulator.preflight.picking import policy_options
from simulator.records import Call, Ending
from simulator.seeds import pure_random, stream_key
from tests.support.modelled import modelled
from tests.support.scenarios import loaded

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
title: picks
seed: 3
kernel: {port_range: 50000-50999, time_wait: 500ms}
backends: {count: 5, ports: random, range: 20000-29999}
balancer: {close: reset}
traffic:
  - {name: only, for: 1s, arrivals: {constant: 200/s}, lifetime: 20ms}
"""


@pytest.mark.parametrize("policy", ["round-robin", "random", "weighted-round-robin"])
def test_load_blind_policies_pick_what_their_stream_says(tmp_path: Path, policy: str) -> None:
    _, run = modelled(TEXT, tmp_path, f"balancer.policy={policy}")
    scenario = loaded(TEXT, f"balancer.policy={policy}").scenario
    stream = pure_random(stream_key(3, "policy", 0) >> 65, "picks", 0)
    rule = select_policy(policy, 2, stream, options=policy_options(scenario))
    load = Load()
    load.insert(4)
    wanted = [rule.pick([0, 1, 2, 3, 4], load, ()) for _ in range(200)]
    assert run.dials["backend"].tolist() == wanted


@pytest.mark.parametrize("policy", ["source-hash", "ring-hash", "maglev", "bounded-hash"])
def test_keyed_policies_keep_a_client_with_its_backend(tmp_path: Path, policy: str) -> None:
    given = (f"balancer.policy={policy}", "balancer.close=client", "traffic.only.lifetime=0ms")
    _, run = modelled(TEXT, tmp_path, *given)
    by_source: dict[int, set[int]] = {}
    for source, backend in zip(run.connections["source"], run.dials["backend"], strict=True):
        by_source.setdefault(int(source), set()).add(int(backend))
    assert len(by_source) == 16
    assert all(len(backends) == 1 for backends in by_source.values())


@pytest.mark.parametrize(
    "policy",
    ["least-connections", "two-choices", "peak-ewma", "most-budget", "weighted-least-connections"],
)
def test_policies_that_look_at_load_spread_it(tmp_path: Path, policy: str) -> None:
    summary, _ = modelled(TEXT, tmp_path, f"balancer.policy={policy}")
    assert summary["attempts"]["ok"] == 200
    assert summary["backends"]["jain"] > 0.9


def test_who_refuses_is_left_out_by_a_retry(tmp_path: Path) -> None:
    summary, run = modelled(TEXT, tmp_path, "backends.refusing=2", "balancer.retries=2")
    assert summary["attempts"]["ok"] == 200
    errors = Counter(run.dials["error"].tolist())
    assert errors[0] == 200
    # Round robin: 1 of 5 picks meets the first refusing one and then the second; 1 of 5 the second.
    assert errors[errno.ECONNREFUSED] == pytest.approx(200 / 5 * 3, rel=0.2)


def test_who_cannot_be_served_is_reset_and_the_cause_written_down(tmp_path: Path) -> None:
    summary, run = modelled(TEXT, tmp_path, "backends.refusing=5", "balancer.retries=0")
    assert summary["attempts"]["errors"] == {"balancer-backend/connect/ECONNREFUSED": 200}
    assert summary["attributed"] == 200
    assert set(run.connections["error"].tolist()) == {errno.ECONNRESET}
    assert set(run.connections["call"].tolist()) == {Call.RECV}


def test_a_retry_budget_is_spent(tmp_path: Path) -> None:
    given = ("backends.refusing=5", "balancer.retries=4")
    budget = "balancer.retry_budget={share: 0.1, reserve: 10}"
    summary, run = modelled(TEXT, tmp_path, *given, budget)
    retries = len(run.dials["t_ns"]) - 200
    assert retries == pytest.approx(10 + 0.1 * 200, abs=1)
    assert summary["model"]["unvalidated"] == ["retry budgets"]


def test_a_full_accept_queue_is_given_up_after_the_connect_timeout(tmp_path: Path) -> None:
    given = (
        *("backends.faults={hanging: 5}", "backends.backlog=1", "balancer.connect_timeout=100ms"),
        *("balancer.retries=0", "clients.timeout=10s", "grace=500ms"),
    )
    _, run = modelled(TEXT, tmp_path, *given)
    # Two fit into each queue; the others wait for a SYN-ACK that does not come.
    errors = Counter(run.dials["error"].tolist())
    assert errors == {0: 10, int(Ending.TIMEOUT): 190}
    refused = run.refusals
    assert np.array_equal(refused["error"], np.full(190, int(Ending.TIMEOUT)))
    assert set(run.connections["error"][10:].tolist()) == {errno.ECONNRESET}


def test_counts_that_are_old_make_a_herd(tmp_path: Path) -> None:
    given = ("balancer.policy=least-connections", "traffic.only.lifetime=100ms")
    spread = []
    for age in ("0ms", "100ms"):
        _, run = modelled(TEXT, tmp_path / age, *given, f"balancer.load_age={age}")
        backends = run.dials["backend"]
        spread.append(int(np.count_nonzero(backends[1:] == backends[:-1])))
    assert spread[1] > 10 * max(1, spread[0])


def test_workers_share_the_connections(tmp_path: Path) -> None:
    summary, _ = modelled(TEXT, tmp_path, "balancer.workers=4")
    assert summary["attempts"]["ok"] == 200
    assert sum(summary["backends"]["picks"].values()) == 200
