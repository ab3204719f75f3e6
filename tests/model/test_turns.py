"""Retries and users in the model: every row has its outcome, and its moment by the plan's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.measure.turns import due_ns
from simulator.records import Outcome
from tests.support.jobs import Watcher
from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

RETRY = """
title: retries
kernel: {port_range: 50000-50099, time_wait: 500ms}
backends: {ports: random, range: 20000-29999, refusing: 1}
balancer: {retries: 0}
clients: {retry: {attempts: 3, backoff: 100ms, factor: 2}}
traffic:
  - {name: only, for: 1s, arrivals: {constant: 20/s}}
"""
USERS = """
title: users
kernel: {port_range: 50000-50999, time_wait: 500ms}
backends: {ports: random, range: 20000-29999, service_time: 100ms}
traffic:
  - {name: only, for: 2s, users: {count: 5, think: 100ms}}
"""


def test_every_attempt_follows_the_one_before_after_its_pause(tmp_path: Path) -> None:
    summary, run = modelled(RETRY, tmp_path, "clients.processes=3")
    assert summary["retries"] == {
        "connections": 20, "attempts": 60, "retries": 40, "recovered": 0, "gave_up": 20,
    }  # fmt: skip
    assert np.array_equal(run.connections["sent_ns"], due_ns(run))


def test_what_succeeds_needs_no_retry(tmp_path: Path) -> None:
    summary, _ = modelled(RETRY, tmp_path, "backends.refusing=0")
    assert summary["attempts"]["not_sent"] == {"needless": 40}
    assert summary["attempts"]["ok"] == 20


def test_users_come_back_after_they_thought(tmp_path: Path) -> None:
    summary, run = modelled(USERS, tmp_path)
    attempts = summary["attempts"]
    # Each user takes 200 ms a turn; they begin within the first 100 ms.
    assert attempts["ok"] == pytest.approx(5 * 10, abs=5)
    assert attempts["planned"] == attempts["sent"] + sum(attempts["not_sent"].values())
    sent = run.connections["sent_ns"]
    assert np.array_equal(sent[sent >= 0], due_ns(run)[sent >= 0])


@pytest.mark.parametrize("text", [RETRY, USERS])
def test_a_stop_accounts_for_what_waits(tmp_path: Path, text: str) -> None:
    watch = Watcher(stop_in="running", level=1)
    _, run = modelled(text, tmp_path, "traffic.only.for=50s", watch=watch)
    assert not np.any(run.connections["outcome"] == Outcome.PLANNED)
