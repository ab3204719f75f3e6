"""Backends that flap in the model do so at the planned moments, and keep what they have."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np

from simulator.traffic.flapping import first_down_ns, turns
from tests.support.modelled import modelled
from tests.support.scenarios import loaded

if TYPE_CHECKING:
    from pathlib import Path

MS = 1_000_000
TEXT = """
title: flapping
seed: 5
kernel: {port_range: 50000-59999, time_wait: 500ms}
backends:
  count: 3
  ports: random
  range: 20000-29999
  refusing: 1
  flapping: {count: 1, up: 300ms, down: 200ms}
balancer: {close: reset, retries: 0}
traffic:
  - {name: only, for: 3s, arrivals: {constant: 600/s}, lifetime: 250ms}
"""


def test_it_refuses_exactly_while_it_is_down(tmp_path: Path) -> None:
    summary, run = modelled(TEXT, tmp_path)
    first = first_down_ns(loaded(TEXT).scenario, 1)
    planned = list(turns(first, 300 * MS, 200 * MS, 3000 * MS))
    told = [
        (one["t_ns"], one["event"] == "backend-up")
        for one in run.events
        if one["event"] in ("backend-down", "backend-up")
    ]
    assert told == planned
    dials = run.dials
    mine = dials["backend"] == 1
    moments = np.array([at for at, _ in planned])
    turn = np.searchsorted(moments, dials["t_ns"][mine], side="right")
    is_down = turn % 2 == 1  # it listens at first, and changes with every turn
    assert ((dials["error"][mine] == errno.ECONNREFUSED) == is_down).all()
    # What it had accepted goes on: nobody was cut.
    assert summary["attempts"]["failed"] == np.count_nonzero(dials["error"])
    assert summary["backends"]["flaps"] == sum(not listens for _, listens in planned)


def test_nobody_flaps_who_was_not_asked_to(tmp_path: Path) -> None:
    text = TEXT.replace("  flapping: {count: 1, up: 300ms, down: 200ms}\n", "")
    _, run = modelled(text, tmp_path)
    assert not [one for one in run.events if one["event"] in ("backend-down", "backend-up")]
