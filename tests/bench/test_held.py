"""A run that holds connections: as many processes as the limit asks for, all of it accounted."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from simulator.bench import held
from simulator.errors import RunFailed
from simulator.kernel.limits import read_machine
from simulator.scenario.load import load_file

if TYPE_CHECKING:
    from pathlib import Path


def with_limit(monkeypatch: pytest.MonkeyPatch, descriptors: int) -> None:
    machine = replace(read_machine(), descriptors_hard=descriptors)
    monkeypatch.setattr(held, "read_machine", lambda: machine)


def test_no_process_gets_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_limit(monkeypatch, 20_000)
    file = tmp_path / "held.yaml"
    file.write_text(held.scenario_text(100_000, 15_000, 62))
    scenario = load_file(file).scenario
    assert scenario.clients.processes == 6  # 100,000 / 19,872 = 5.03
    servers = scenario.backends.processes
    mean = 100_000 / servers
    assert mean + 5 * sqrt(mean) <= 20_000
    assert scenario.duration_ns >= 100_000 / 15_000 * 1e9  # the climb fits in


def test_more_than_the_limit_allows_is_refused_by_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_limit(monkeypatch, 1_024)
    with pytest.raises(RunFailed, match="descriptors"):
        held.scenario_text(100_000, 15_000, 62)


def test_a_run_that_is_refused_says_why(tmp_path: Path) -> None:
    text = held.scenario_text(1_000, 1_000, 1).replace("1024-65535", "nonsense")
    with pytest.raises(RunFailed, match="port_range"):
        held.run(text, tmp_path)


@pytest.mark.namespace
@pytest.mark.slow
def test_every_connection_is_held_and_accounted_for(tmp_path: Path) -> None:
    found = held.run(held.scenario_text(3_000, 6_000, 4), tmp_path)
    assert (found.planned, found.ok, found.failed, found.peak) == (3_000, 3_000, 0, 3_000)
    assert len(found.connect_ns) == 3_000
    assert found.climb_s >= 3_000 / 6_000 - 0.01  # none came before it was due
    assert found.cpu_s > 0
    assert found.whole_s > found.climb_s


NOTHING: Final = held.Held(
    planned=1_000,
    ok=0,
    failed=1_000,
    peak=0,
    climb_s=0.0,
    close_s=0.0,
    connect_ns=np.zeros(0, dtype=np.int64),
    kernel_bytes=0.0,
    own_bytes=0.0,
    cpu_s=0.0,
    sampler_s=0.0,
    whole_s=0.0,
)


def test_costs_are_for_each_connection_that_was_held_at_once() -> None:
    found = replace(NOTHING, ok=900, peak=800, climb_s=3.0, close_s=0.5, cpu_s=0.04)
    found = replace(found, kernel_bytes=1.6e6, own_bytes=8e4)
    assert found.values() == pytest.approx(
        {
            "held": 800,
            "rate": 300.0,  # of those that came, over the climb
            "memory-kernel": 2_000.0,
            "memory-own": 100.0,
            "cpu": 50.0,
            "close": 0.5,
        }
    )
    assert set(found.values()) == set(held.UNITS)


def test_a_run_that_held_nothing_divides_by_nothing() -> None:
    assert set(NOTHING.values().values()) == {0}
