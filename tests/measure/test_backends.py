"""Backends: ports in the order they had them, moves, picks, and how even the picks are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.measure.backends import backend_table, endpoints, jain_index, leases
from tests.support.runs import RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path


def test_the_index_of_even_and_of_one_sided_picks() -> None:
    assert jain_index([5, 5, 5, 5]) == 1.0
    assert jain_index([8, 0, 0, 0]) == 0.25
    assert jain_index([0, 0]) is None
    # the worked case of the report: k of n users share equally, the rest get nothing: k / n
    assert jain_index([3, 3, 3, 0, 0]) == pytest.approx(3 / 5)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30).filter(any), st.integers(1, 50))
def test_the_index_lies_between_its_bounds_and_ignores_scale(counts: list[int], by: int) -> None:
    found = jain_index(counts)
    assert found is not None
    assert 1 / len(counts) - 1e-12 <= found <= 1 + 1e-12
    assert jain_index([by * count for count in counts]) == pytest.approx(found)


def test_ports_moves_and_picks(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(backends={"count": 3})).planned([])
    run.lease(0, 40_001, -S, 2 * S).lease(1, 40_002).lease(0, 40_003, 3 * S)
    run.lease(1, 40_002, -1, 9 * S)  # the same lease, written again as it ended
    run.tick(0, "balancer", 0, picks={"0": 1})
    run.tick(S, "balancer", 0, picks={"0": 3, "1": 1}).tick(S, "balancer", 1, picks={"1": 2})
    read = run.run(tmp_path)
    assert backend_table(read) == {
        "count": 3,
        "ports": {"0": [40_001, 40_003], "1": [40_002]},
        "moves": 1,
        "lost_races": 0,
        "picks": {"0": 3, "1": 3},
        "jain": pytest.approx(36 / (3 * 18)),  # the third backend got nothing
        "picks_ideal": 2.0,
        "picks_dispersion": pytest.approx((1 + 1 + 4) / 2 / 2),
    }
    assert endpoints(read) == {0: "127.4.0.1:40003", 1: "127.4.0.1:40002"}


def test_without_a_balancer_the_clients_picks_are_counted(tmp_path: Path) -> None:
    made = scenario(balancer={"driver": "none"}, backends={"count": 2})
    run = RunBuilder(scenario=made).planned([0, 0, 0, 0])
    run.ok(0, backend=0).ok(1, backend=1).ok(2, backend=1)
    table = backend_table(run.run(tmp_path))
    assert table["picks"] == {"0": 1, "1": 2}
    assert table["jain"] == pytest.approx(9 / (2 * 5))


def test_a_lease_that_was_written_twice_lost_its_races_once(tmp_path: Path) -> None:
    run = RunBuilder().planned([0])
    held = {"backend": 0, "address": "127.4.0.1", "port": 5000, "allocator": "random"}
    for to_ns in (None, 9 * S):
        record = {**held, "from_ns": -S, "to_ns": to_ns, "lost_races": 3}
        run.lines.append(("leases", record))
    read = run.run(tmp_path)
    assert [one["to_ns"] for one in leases(read)] == [9 * S]
    assert backend_table(read)["lost_races"] == 3
