"""The port space over time: what each column shows, and that a silence is no knowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.measure.port_space import port_space
from tests.support.pages import BUDGET, PORTS, busy, with_ports
from tests.support.runs import MS, RunBuilder, S, hop_sample

if TYPE_CHECKING:
    from pathlib import Path

HOP = "balancer-backend"


def test_columns_hold_the_ports_of_the_samples(tmp_path: Path) -> None:
    found = port_space(busy().run(tmp_path), HOP, 2.0)
    assert found is not None
    assert found.ports == PORTS
    waiting = found.counts["time_wait"].sum(axis=0)
    assert waiting[-1] == BUDGET
    assert (waiting[1:] >= waiting[:-1]).all()
    assert found.sizes.sum() == len(PORTS)
    assert not found.counts["established"].any()


def test_where_no_sample_came_in_time_nothing_is_known(tmp_path: Path) -> None:
    made = RunBuilder().started()
    for at in (*range(10), *range(30, 40)):
        made.sample(at * 50 * MS, {HOP: with_ports(hop_sample(BUDGET, time_wait=7), 7)})
    found = port_space(made.run(tmp_path), HOP, 2.0)
    assert found is not None
    row = found.counts["time_wait"].max(axis=0)
    columns = len(row)
    assert row[0] == row[-1] == 1
    assert row[int(columns * 1.0 / 2.0)] == -1


def test_samples_without_ports_give_none(tmp_path: Path) -> None:
    made = RunBuilder().started().sample(S, {HOP: hop_sample(BUDGET)})
    assert port_space(made.run(tmp_path), HOP, 1.0) is None


def test_bins_of_another_number_are_not_believed(tmp_path: Path) -> None:
    seen = with_ports(hop_sample(BUDGET), 7)
    seen["ports"]["time_wait"] = [1, 2, 3]
    found = port_space(RunBuilder().started().sample(0, {HOP: seen}).run(tmp_path), HOP, 1.0)
    assert found is not None
    assert found.counts["time_wait"].max() == 0
