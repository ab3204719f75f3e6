"""A backend that accepts and never answers: seen by its silence, and not by its connects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import run_json, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

HANGING = """\
title: one backend of four hangs
backends: {count: 4, ports: random, range: 20000-29999, faults: {hanging: 1}}
clients: {timeout: 500ms}
balancer: {ejection: {failures: 3, for: 10s}}
traffic: [{name: a, for: 1s, arrivals: {constant: 200/s}}]
variants:
  connects: {balancer.ejection.failures: 3}
  answers: {balancer.ejection.silence: 100ms}
"""


def test_silence_takes_a_hanging_backend_out(tmp_path: Path) -> None:
    path = write_scenario(tmp_path / "hanging.yaml", HANGING)
    _, (connects, answers) = run_json(path, "--results", tmp_path / "results")
    # In turn every fourth connection goes to it, and its kernel accepts each of them.
    assert connects["attempts"]["failed"] == 200 // 4
    assert connects["care"]["ejections"] == 0
    # Three silences of 100 ms, with 50/s x 100 ms = 5 more on their way: 8 where 50 were.
    assert 3 <= answers["attempts"]["failed"] <= 25
    assert answers["care"]["ejections"] == 1
    for summary in (connects, answers):
        attempts = summary["attempts"]
        assert attempts["sent"] == attempts["ok"] + attempts["failed"] + attempts["open_at_end"]
