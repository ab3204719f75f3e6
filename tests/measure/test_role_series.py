"""CPU and memory over time: differences of what roles told, summed over their processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.measure.role_series import role_series
from tests.support.runs import MS, RunBuilder, S

if TYPE_CHECKING:
    from pathlib import Path


def test_processes_of_a_role_add_up(tmp_path: Path) -> None:
    made = RunBuilder()
    for at in range(4):
        for index, share in ((0, 0.5), (1, 0.25)):
            spent = int(at * S * share)
            made.tick(at * S, "balancer", index, user_ns=spent, rss_bytes=1000)
    found = role_series(made.run(tmp_path))
    assert list(found) == ["balancer"]
    assert found["balancer"].cores == pytest.approx((0.75, 0.75, 0.75))
    assert found["balancer"].rss_bytes == (2000.0, 2000.0, 2000.0)
    assert found["balancer"].t_s == (1.0, 2.0, 3.0)


def test_what_told_no_cpu_or_only_once_is_left_out(tmp_path: Path) -> None:
    made = RunBuilder().tick(MS, "client")
    made.lines.append(("roles", {"t_ns": MS, "role": "backend", "index": 0}))
    assert role_series(made.run(tmp_path)) == {}
