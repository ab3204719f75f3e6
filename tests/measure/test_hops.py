"""Facts of each hop: the worst group of the samples, ports from the rows, the first exhaustion."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.measure.attribution import find_causes
from simulator.measure.hops import all_hops, ran_out
from simulator.records import Call, Ending, Hop
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.measure.hops import HopFacts


def facts_of(builder: RunBuilder, root: Path) -> list[HopFacts]:
    run = builder.run(root)
    return all_hops(run, find_causes(run))


def test_peaks_are_those_of_the_worst_group(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for t, (open_ones, waiting) in enumerate([(1, 0), (9, 5), (2, 30)]):
        hop = hop_sample(100, established=open_ones, time_wait=waiting)
        run.sample(t * S, {"balancer-backend": hop | {"in_use": 5000, "time_wait": 4000}})
    client, balancer = facts_of(run, tmp_path)
    assert (balancer.in_use_peak, balancer.established_peak, balancer.time_wait_peak) == (32, 9, 30)
    assert (balancer.budget, balancer.sources, balancer.destinations) == (100, 1, 1)
    assert balancer.worst is not None
    assert balancer.worst["in_use"] == 32
    assert client.as_dict()["name"] == "client-balancer"
    assert (client.sampled, client.worst, client.in_use_peak) == (False, None, 0)


def test_a_balancer_that_ran_out_says_when_even_if_retries_hid_it(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0)
    run.dial(S, port=50_001).dial(2 * S, port=50_002).dial(3 * S, error=errno.EADDRNOTAVAIL)
    run.dial(4 * S, error=errno.EADDRNOTAVAIL)
    client, balancer = facts_of(run, tmp_path)
    assert balancer.exhausted_at_ns == 3 * S
    assert balancer.as_dict()["exhausted_at_s"] == 3.0
    assert balancer.distinct_ports == 2
    assert client.exhausted_at_ns is None
    assert client.distinct_ports == 1


def test_the_group_that_explains_is_the_fullest_near_exhaustion(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).dial(S, error=errno.EADDRNOTAVAIL)
    run.sample(0, {"balancer-backend": hop_sample(100, established=99)})
    run.sample(S + MS, {"balancer-backend": hop_sample(100, established=3, time_wait=97)})
    for t in range(6):  # long after, another mix fills the range as well
        run.sample((9 + t) * S, {"balancer-backend": hop_sample(100, established=100)})
    worst = facts_of(run, tmp_path)[1].worst
    assert worst is not None
    assert worst["time_wait"] == 97


def test_without_a_balancer_there_is_one_hop_and_clients_run_out(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(balancer={"driver": "none"}, backends={"count": 3}))
    run.planned([0, S]).ok(0).failed(1, Call.CONNECT, Ending.NO_PORT)
    [only] = facts_of(run, tmp_path)
    assert only.hop is Hop.CLIENT_BACKEND
    assert (only.sources, only.destinations, only.exhausted_at_ns) == (16, 3, S)


@pytest.mark.parametrize(
    ("call", "error", "wanted"),
    [
        (Call.CONNECT, errno.EADDRNOTAVAIL, True),
        (Call.CONNECT, errno.EAGAIN, True),
        (Call.PICK, Ending.NO_PORT, True),
        (Call.BIND, errno.EADDRINUSE, True),
        (Call.SEND, errno.EAGAIN, False),
        (Call.CONNECT, errno.ECONNREFUSED, False),
        (Call.NONE, 0, False),
    ],
)
def test_which_failures_mean_that_no_port_was_left(call: Call, error: int, wanted: bool) -> None:
    assert ran_out(np.array([call]), np.array([error])).tolist() == [wanted]


def test_without_samples_the_budget_follows_from_the_scenario(tmp_path: Path) -> None:
    # random listeners elsewhere, so that no listener holds one of the 1000 ports
    backends = {"ports": "random", "range": "20000-29999"}
    made = scenario(kernel={"port_range": "50000-50999"}, backends=backends)
    assert facts_of(RunBuilder(scenario=made).planned([]), tmp_path)[1].budget == 1000
    sampled = RunBuilder(scenario=made).planned([]).sample(0, {"balancer-backend": hop_sample(999)})
    assert facts_of(sampled, tmp_path)[1].budget == 999


@pytest.mark.parametrize(
    ("near", "recyclable", "far", "side"),
    [
        (0, 0, 0, None),
        (5, 0, 0, "connect"),
        (0, 0, 5, "accept"),
        (3, 40, 20, "connect"),  # what may be taken over again is TIME_WAIT all the same
        (3, 0, 20, "accept"),
    ],
)
def test_the_side_that_waits_is_the_one_with_more_of_it(
    tmp_path: Path, near: int, recyclable: int, far: int, side: str | None
) -> None:
    seen = hop_sample(1000, time_wait=near) | {
        "recyclable": recyclable,
        "accept_side": {"established": 0, "time_wait": far, "other": 0},
    }
    run = RunBuilder().planned([]).sample(0, {"balancer-backend": seen})
    assert facts_of(run, tmp_path)[1].as_dict()["time_wait_side"] == side


def test_half_closed_connections_are_told_at_their_peak(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for place, count in enumerate((5, 70, 20)):
        run.sample(place, {"balancer-backend": hop_sample(1000) | {"fin_wait": count}})
    assert facts_of(run, tmp_path)[1].half_closed_peak == 70
