"""A backend that begins to hang and never returns: both engines end its clients, and alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import run_json, write_scenario
from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

#: 200/s, two requests each of 40 ms over 300 ms: 60 are open, 15 of them with each backend.
TEXT = """
title: one of four hangs for good
kernel: {port_range: 50000-59999, time_wait: 500ms}
backends:
  count: 4
  ports: random
  range: 20000-29999
  service_time: 40ms
  churn: {at: [{time: 400ms, backends: 1, leave: hang}]}
balancer: {policy: round-robin, learns_after: 100ms}
traffic: [{name: only, for: 700ms, arrivals: {constant: 200/s}, requests: 2, lifetime: 300ms}]
grace: 2s
"""
IMPATIENT_CLIENTS = ("clients.timeout=500ms", "balancer.idle_timeout=20s")
#: A backend that hangs closes nothing, however short its own limit is.
IMPATIENT_BALANCER = (
    *("clients.timeout=20s", "balancer.idle_timeout=500ms", "backends.idle_timeout=250ms"),
)


@pytest.mark.parametrize(
    ("limits", "error"), [(IMPATIENT_CLIENTS, "TIMEOUT"), (IMPATIENT_BALANCER, "EOF")]
)
def test_both_engines_end_who_waits_in_vain(
    tmp_path: Path, limits: tuple[str, ...], error: str
) -> None:
    path = write_scenario(tmp_path / "hanging.yaml", TEXT)
    sets = [part for one in limits for part in ("--set", one)]
    _, (kernel,) = run_json(path, "--results", tmp_path / "kernel", *sets)
    model, _ = modelled(TEXT, tmp_path / "model", *limits)
    for attempts in (kernel["attempts"], model["attempts"]):
        assert attempts["open_at_end"] == 0
        assert attempts["sent"] == attempts["ok"] + attempts["failed"] == 140
        assert set(attempts["errors"]) == {f"client-balancer/recv/{error}"}
    # Of 15 there, those between their last answer and their end need nothing more of it.
    assert 5 <= model["attempts"]["failed"] <= 20
    assert kernel["attempts"]["failed"] == pytest.approx(model["attempts"]["failed"], abs=4)
