"""connect() against occupancy: the gist compares below and above half full."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.report.charts.connect_cost import connect_cost
from tests.support.pages import story
from tests.support.summaries import bucket

if TYPE_CHECKING:
    from pathlib import Path


def test_the_cliff_is_told_in_numbers(tmp_path: Path) -> None:
    rows = [
        bucket(at, 100, p50=10_000 if at < 10 else 40_000 + at, p99=90_000, max=1_000_000)
        for at in range(20)
    ]
    table = {"client-backend": {"hop": "client-backend", "method": "order", "buckets": rows}}
    told = replace(story(tmp_path), summary={"connect_cost": table})
    (chart,) = connect_cost(told)
    assert [line.name for line in chart.lines] == ["p50", "p99", "max"]
    assert chart.lines[0].x[:2] == pytest.approx((0.025, 0.075))
    assert chart.marks[0].at == 0.5
    assert "about 10us" in chart.says
    assert "95 to 100 % in use, it took 40us, 4.0 times as long" in chart.says


def test_one_degree_of_occupancy_compares_nothing(tmp_path: Path) -> None:
    table = {"a": {"hop": "a", "buckets": [bucket(0, 10, p50=1000)]}}
    assert list(connect_cost(replace(story(tmp_path), summary={"connect_cost": table}))) == []
