"""Use of ports against brute force and scipy: evenness, and how soon a tuple comes back."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.measure.port_use import evenness, port_use
from simulator.records import Call, Ending, Hop
from simulator.seeds import generator
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

TEN_PORTS = {"port_range": "50000-50009", "time_wait": "500ms"}
MANY = {"suppress_health_check": [HealthCheck.function_scoped_fixture], "deadline": None}


def balancer(root: Path, run: RunBuilder) -> dict[str, object]:
    return port_use(run.run(root), Hop.BALANCER_BACKEND)


@settings(max_examples=40, **MANY)  # type: ignore[arg-type]
@given(st.lists(st.tuples(st.integers(50_000, 50_003), st.integers(0, 1), st.integers(0, 1))))
def test_distances_are_those_of_a_walk_by_hand(
    tmp_path: Path, uses: list[tuple[int, int, int]]
) -> None:
    run = RunBuilder(scenario=scenario(kernel=TEN_PORTS))
    last: dict[tuple[int, int, int], int] = {}
    apart = []
    for place, (port, source, backend) in enumerate(uses):
        run.dial(place * 7 * MS, port=port, source=source, backend=backend)
        if (port, source, backend) in last:
            apart.append(place - last[port, source, backend])
        last[port, source, backend] = place
    told = balancer(tmp_path, run)
    assert told["returns"] == len(apart)
    if apart:
        wanted = {"min": min(apart), "median": float(np.median(apart))}
        assert told["reuse_connections"] == wanted
        assert told["reuse_s"] == pytest.approx({k: v * 0.007 for k, v in wanted.items()})
    else:
        assert told["reuse_connections"] is told["reuse_s"] is None


def test_ports_in_turn_come_back_after_all_others(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(kernel=TEN_PORTS))
    for place in range(40):
        run.dial(place * MS, port=50_000 + place % 10)
    told = balancer(tmp_path, run)
    assert told["reuse_connections"] == {"min": 10, "median": 10}
    assert (told["jain"], told["dispersion"]) == (1.0, 0.0)
    assert (told["distinct"], told["ports"], told["outside"]) == (10, 10, 0)


def test_one_port_of_ten_is_as_uneven_as_can_be(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(kernel=TEN_PORTS))
    for place in range(20):
        run.dial(place * MS, port=50_003)
    assert balancer(tmp_path, run)["jain"] == pytest.approx(0.1)


def test_failed_connects_used_no_tuple_and_strangers_are_counted_apart(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(kernel=TEN_PORTS))
    run.dial(0, error=errno.EADDRNOTAVAIL).dial(MS, port=40_000).dial(2 * MS, port=50_000)
    told = balancer(tmp_path, run)
    assert (told["connections"], told["outside"], told["distinct"]) == (2, 1, 1)


def test_ports_that_the_kernel_picked_are_counted_as_unknown(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(kernel=TEN_PORTS)).dial(0, port=0).dial(MS, port=0)
    told = balancer(tmp_path, run.dial(2 * MS, port=50_001))
    assert (told["connections"], told["unknown"], told["returns"]) == (1, 2, 0)


def test_reserved_ports_are_never_handed_out(tmp_path: Path) -> None:
    kernel = {**TEN_PORTS, "reserved_ports": ["50002-50004"]}
    run = RunBuilder(scenario=scenario(kernel=kernel)).dial(0, port=50_000)
    assert balancer(tmp_path, run)["ports"] == 7


def test_a_backend_that_moved_is_another_destination(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(kernel=TEN_PORTS, backends={"count": 2}))
    run.lease(0, 20_000, 0, S).lease(0, 20_001, S).lease(1, 20_000, S)
    run.dial(MS, port=50_000, backend=0)  # to 20000
    run.dial(S + MS, port=50_000, backend=0)  # to 20001: another tuple
    run.dial(S + 2 * MS, port=50_000, backend=1)  # to 20000, which is the first tuple again
    told = balancer(tmp_path, run)
    assert told["returns"] == 1
    assert told["reuse_connections"] == {"min": 2, "median": 2}


def test_clients_are_read_from_their_own_rows(tmp_path: Path) -> None:
    run = RunBuilder().planned([i * MS for i in range(4)])
    run.ok(0, port=2000).ok(1, port=2001).ok(2, port=2000)
    run.failed(3, Call.RECV, Ending.EOF, port=2000)  # never connected
    told = port_use(run.run(tmp_path), Hop.CLIENT_BALANCER)
    assert (told["connections"], told["returns"]) == (3, 1)
    assert told["reuse_s"] == pytest.approx({"min": 0.002, "median": 0.002})


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=50))
def test_dispersion_is_scipys_chi_square(counts: list[int]) -> None:
    told = evenness(np.array(counts, dtype=np.int64))
    if not sum(counts):
        assert told == {"jain": None, "dispersion": None}
        return
    wanted = stats.chisquare(counts).statistic / (len(counts) - 1)
    assert told["dispersion"] == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    assert told["jain"] is not None
    assert 1 / len(counts) - 1e-9 <= told["jain"] <= 1 + 1e-9


def test_ports_drawn_at_random_have_a_dispersion_of_one() -> None:
    drawn = generator(5, "ports").integers(0, 1000, 20_000)
    told = evenness(np.bincount(drawn, minlength=1000))["dispersion"]
    assert told is not None
    # chi-square with 999 degrees of freedom over 999: standard deviation sqrt(2 / 999).
    assert abs(told - 1) < 4 * (2 / 999) ** 0.5
