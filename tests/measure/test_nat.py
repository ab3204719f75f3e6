"""What a run tells of its NAT, from its records."""

from __future__ import annotations

from math import exp, sqrt
from typing import TYPE_CHECKING

import pytest

from simulator.measure.attribution import find_causes
from simulator.measure.nat import long_silences, nat_ran_out_at, nat_table, nat_told
from simulator.records import Call, Ending
from tests.support.modelled import modelled
from tests.support.runs import MS, RunBuilder, scenario

if TYPE_CHECKING:
    from pathlib import Path

NAT = {"nat": {"preset": "linux-masquerade", "table": 2}, "balancer": {"driver": "none"}}


def test_without_a_nat_there_is_no_table(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario()).planned([0]).ok(0).run(tmp_path)
    assert nat_table(run) is None
    assert nat_told(run) == {}


def test_it_ran_out_with_the_first_that_found_no_place(tmp_path: Path) -> None:
    builder = RunBuilder(scenario=scenario(**NAT)).planned([0, 10 * MS, 20 * MS]).ok(0)
    for row in (1, 2):
        builder.failed(row, Call.ALLOCATE, Ending.NAT_TABLE)
    run = builder.run(tmp_path)
    causes = find_causes(run)
    assert causes.count_by_key() == {"nat-backend/allocate/NAT_TABLE": 2}
    assert nat_ran_out_at(run, causes) == run.connections["sent_ns"][1]


def test_a_dial_that_was_tried_again_counts_too(tmp_path: Path) -> None:
    given = NAT | {"balancer": {"driver": "own"}}
    builder = RunBuilder(scenario=scenario(**given)).planned([0]).ok(0)
    builder.dial(7 * MS, error=int(Ending.NAT_PORTS), call=Call.ALLOCATE)
    run = builder.run(tmp_path)
    assert nat_ran_out_at(run, find_causes(run)) == 7 * MS


def test_a_run_that_was_cut_short_has_its_numbers_all_the_same(tmp_path: Path) -> None:
    table = nat_table(RunBuilder(scenario=scenario(**NAT)).planned([0]).ok(0).run(tmp_path))
    assert table is not None
    assert (table["preset"], table["hosts"], table["served"]) == ("linux-masquerade", 16, 16)
    assert table["rule"]["table"] == 2
    assert table["rule"]["ports"] == "1024-65535"
    assert (table["flows"], table["asks"]) == (0, 0)


def test_flows_that_a_real_one_would_have_forgotten_are_counted(tmp_path: Path) -> None:
    """Exponential lifetimes of 100 s, idle after 200 s: exp(-2) of 400 are silent for longer."""
    text = """
title: t
backends: {ports: random, range: 20000-29999}
balancer: {driver: none}
nat: {preset: ananta, idle_timeout: 200s}
traffic:
  - {name: a, for: 40s, arrivals: {constant: 10/s}, lifetime: {exponential: 100s}}
grace: 1h
sampling: {every: 10s}
"""
    summary, run = modelled(text, tmp_path)
    expected = 400 * exp(-2)
    assert long_silences(run) == pytest.approx(expected, abs=4 * sqrt(expected))
    assert any("silent for longer than the NAT remembers (200s)" in one for one in summary["notes"])
