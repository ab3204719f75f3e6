"""Connect cost against occupancy: exact by order while all is held, else between samples."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from simulator.measure.attribution import find_causes
from simulator.measure.connect_cost import connect_cost_by_hop
from simulator.measure.hops import all_hops
from simulator.records import Call
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

DIRECT = scenario(balancer={"driver": "none"}, kernel={"port_range": "50000-50999"})


def tables(builder: RunBuilder, root: Path) -> dict[str, Any]:
    run = builder.run(root)
    return connect_cost_by_hop(run, all_hops(run, find_causes(run)))


def held(cost_of: dict[int, int], *, count: int, groups: int = 1) -> RunBuilder:
    """Connections that all stay open, each costing what its place in its group says."""
    run = RunBuilder(scenario=DIRECT).planned([i * MS for i in range(count * groups)])
    for row in range(count * groups):
        place = row // groups
        cost = cost_of[max(start for start in cost_of if start <= place)]
        run.ok(row, closed_ns=-1, connect_call_ns=cost, backend=row % groups)
    return run


def test_while_all_is_held_the_order_is_the_occupancy(tmp_path: Path) -> None:
    run = held({0: 35_000, 500: 440_000}, count=1000)
    table = tables(run, tmp_path)["client-backend"]
    assert table["method"] == "order"
    assert [row["n"] for row in table["buckets"]] == [50] * 20
    assert [row["max"] for row in table["buckets"]] == [35_000] * 10 + [440_000] * 10
    assert [row["p50"] for row in table["buckets"]] == [35_000] * 10 + [440_000] * 10
    # 50 calls leave fewer than ten beyond the 90th percentile
    assert {row["p90"] for row in table["buckets"]} == {None}


def test_each_group_fills_on_its_own(tmp_path: Path) -> None:
    run = held({0: 20_000}, count=100, groups=4)
    buckets = tables(run, tmp_path)["client-backend"]["buckets"]
    assert [(row["from"], row["n"]) for row in buckets] == [(0.0, 200), (0.05, 200)]


def test_a_connect_that_finds_everything_taken_stands_in_the_last_bucket(tmp_path: Path) -> None:
    run = held({0: 20_000}, count=1001)
    run.failed(1000, Call.CONNECT, errno.EADDRNOTAVAIL, connect_call_ns=1_500_000, backend=0)
    last = tables(run, tmp_path)["client-backend"]["buckets"][-1]
    assert (last["from"], last["to"]) == (0.95, 1.0)
    assert (last["n"], last["failures"], last["failed_max"]) == (51, 1, 1_500_000)
    assert last["max"] == 20_000  # a failure's time is no success's


def test_under_churn_samples_tell_the_occupancy(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0, closed_ns=MS)
    for t in range(100):
        run.dial(t * 10 * MS, call_ns=1000 + t)
    run.sample(0, {"balancer-backend": hop_sample(1000, established=0)})
    run.sample(S, {"balancer-backend": hop_sample(1000, established=1000)})
    table = tables(run, tmp_path)["balancer-backend"]
    assert table["method"] == "samples"
    assert [row["n"] for row in table["buckets"]] == [5] * 20
    assert [row["max"] for row in table["buckets"]] == [1004 + 5 * i for i in range(20)]


def test_the_balancers_own_hop_comes_first(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0, closed_ns=-1).dial(MS)
    assert list(tables(run, tmp_path)) == ["balancer-backend", "client-balancer"]


def test_without_samples_nothing_is_guessed_about_churn(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0, closed_ns=MS // 2, connected_ns=0).dial(S)
    # the client's only connect came before the first close, the balancer's after it
    assert list(tables(run, tmp_path)) == ["client-balancer"]


@pytest.mark.parametrize("connections", [0, 1])
def test_few_or_no_connects_are_no_problem(tmp_path: Path, connections: int) -> None:
    run = held({0: 5}, count=connections)
    assert len(tables(run, tmp_path)) == connections
