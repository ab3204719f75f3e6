"""The plan: the same for the same seed, in order, and refused before it is too large."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.errors import EXIT_REFUSED, Refused
from simulator.records import PLAN_COLUMNS
from simulator.traffic.plan import Plan, make_plan, overlap_at, peak_overlap
from tests.support.scenarios import SMALL, loaded, small

if TYPE_CHECKING:
    from numpy.typing import NDArray

S = 10**9
TEXT = """\
title: everything
seed: 11
backends: {service_time: {exponential: 2ms}}
traffic:
  - {name: calm, for: 2s, arrivals: {constant: 50/s}, requests: 3, lifetime: 30ms}
  - name: ramp
    for: 3s
    arrivals: {poisson: {from: 100/s, to: 400/s}}
    lifetime: {exponential: 20ms}
  - {name: silent, for: 1s, arrivals: {constant: 10/s}, requests: 0}
  - name: hold
    for: 2s
    hold: {connections: 100, rate: 200/s}
    request_size: 1KiB
    response_size: 0B
"""


def plan_of(text: str = TEXT, *flags: str) -> Plan:
    return make_plan(loaded(text, *flags).scenario)


def phase(plan: Plan, name: str, index: int) -> NDArray[np.int64]:
    """One column of one phase's rows."""
    rows: NDArray[np.int64] = plan.columns[name][plan.columns["phase"] == index]
    return rows


def test_columns_are_those_of_the_records_in_order_of_due_time() -> None:
    plan = plan_of()
    assert {name: column.dtype.str for name, column in plan.columns.items()} == PLAN_COLUMNS
    assert {len(column) for column in plan.columns.values()} == {plan.connections}
    assert (np.diff(plan.columns["due_ns"]) >= 0).all()
    assert plan.duration_ns == 8 * S
    assert plan.asked_per_s == plan.connections / 8
    with pytest.raises(ValueError, match="read-only"):
        plan.columns["due_ns"][0] = 1


def test_every_request_has_its_service_time() -> None:
    plan = plan_of()
    requests, first = plan.columns["requests"], plan.columns["first_service"]
    assert plan.requests == requests.sum() == len(plan.service_ns)
    assert (first == np.concatenate([[0], np.cumsum(requests)[:-1]])).all()
    assert stats.kstest(plan.service_ns, "expon", args=(0, 2e6)).pvalue > 1e-3


def test_phases_ask_for_what_they_say() -> None:
    plan = plan_of()
    assert len(phase(plan, "due_ns", 0)) == 100
    assert set(phase(plan, "lifetime_ns", 0)) == {30_000_000}
    assert phase(plan, "due_ns", 1).min() >= 2 * S
    assert phase(plan, "due_ns", 1).max() < 5 * S
    assert set(phase(plan, "requests", 2)) == {0}
    assert set(phase(plan, "request_bytes", 3)) == {1024}
    assert set(phase(plan, "response_bytes", 3)) == {0}


def test_held_connections_open_at_their_rate_and_end_with_the_phase() -> None:
    plan = plan_of()
    due, lifetime = phase(plan, "due_ns", 3), phase(plan, "lifetime_ns", 3)
    assert due.tolist() == [6 * S + n * S // 200 for n in range(100)]
    assert set(due + lifetime) == {8 * S}


def test_same_seed_same_plan_in_every_process_and_another_seed_another() -> None:
    scenario = f"from simulator.scenario.load import load_text as l; s = l({TEXT!r}, 't').scenario"
    code = f"{scenario}; from simulator.traffic.plan import make_plan; print(make_plan(s).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
        ).stdout.strip()
        for _ in range(2)
    }
    assert digests == {plan_of().digest}
    assert plan_of(TEXT, "seed=12").digest != plan_of().digest
    assert len(plan_of().digest) == 64


@pytest.mark.parametrize(
    ("flag", "same", "other"),
    [
        ("backends.service_time={exponential: 9ms}", ["due_ns", "lifetime_ns"], ["service"]),
        ("traffic.ramp.lifetime={exponential: 5ms}", ["due_ns", "service"], ["lifetime_ns"]),
        ("traffic.calm.arrivals={poisson: 80/s}", [], ["due_ns", "service"]),
        ("backends.count=7", ["due_ns", "lifetime_ns", "service"], []),
        ("traffic.calm.requests=5", ["due_ns", "lifetime_ns"], ["service"]),
    ],
)
def test_a_change_leaves_the_draws_of_all_others_alone(
    flag: str, same: list[str], other: list[str]
) -> None:
    before, after = plan_of(), plan_of(TEXT, flag)

    def column(plan: Plan, name: str) -> bytes:
        found = plan.service_ns if name == "service" else plan.columns[name]
        return bytes(found.tobytes())

    assert all(column(before, name) == column(after, name) for name in same)
    assert all(column(before, name) != column(after, name) for name in other)
    # The last random phase draws the same whatever the phases before it do.
    if not flag.startswith("traffic.ramp"):
        assert phase(before, "due_ns", 1).tolist() == phase(after, "due_ns", 1).tolist()


def test_a_longer_first_phase_only_moves_the_ones_behind() -> None:
    before, after = plan_of(), plan_of(TEXT, "traffic.calm.for=4s")
    assert (phase(after, "due_ns", 1) - 2 * S).tolist() == phase(before, "due_ns", 1).tolist()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["traffic.0.arrivals.constant=1000000/s", "traffic.0.for=6s"],
            ["6,000,000 connections", "5,000,000 are the most", "1,000,000/s x 6s = 6,000,000"],
        ),
        (
            ["traffic.0.arrivals={poisson: {from: 1/s, to: 1000000/s}}", "traffic.0.for=1h"],
            ["(1/s + 1,000,000/s) / 2 x 3,600s"],
        ),
        (
            ["traffic.0.arrivals.constant=10000/s", "traffic.0.requests=10000"],
            ["100,000,000 requests", "20,000,000 are the most", "x 10000 requests"],
        ),
    ],
    ids=["connections", "ramp", "requests"],
)
def test_a_plan_that_is_too_large_is_refused_with_its_sum(
    flags: list[str], words: list[str]
) -> None:
    with pytest.raises(Refused) as error:
        make_plan(small(*flags))
    assert error.value.exit_code == EXIT_REFUSED
    for word in words:
        assert word in str(error.value)


def test_one_answer_keeps_a_connection_for_the_longer_of_lifetime_and_service() -> None:
    plan = plan_of(SMALL, "backends.service_time=7ms", "traffic.0.lifetime=5ms")
    assert set(plan.held_ns()) == {7_000_000}
    longer = plan_of(SMALL, "backends.service_time=7ms", "traffic.0.lifetime=9ms")
    assert set(longer.held_ns()) == {9_000_000}
    assert set(longer.answered_ns()) == {7_000_000}


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=8),
    st.integers(0, 50),
)
def test_answers_follow_the_recursion_of_requests_in_turn(
    service: list[int], lifetime: int
) -> None:
    number = len(service)
    done = 0
    for index, time in enumerate(service):
        done = max(done, lifetime * index // number) + time
    columns = {name: np.zeros(1, dtype=kind) for name, kind in PLAN_COLUMNS.items()}
    columns["requests"][0], columns["lifetime_ns"][0] = number, lifetime
    plan = Plan(columns=columns, service_ns=np.array(service), duration_ns=1)
    assert plan.answered_ns().tolist() == [done]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=20))
def test_overlaps_are_counted_as_by_hand(intervals: list[tuple[int, int]]) -> None:
    intervals.sort()
    starts = np.array([start for start, _ in intervals], dtype=np.int64)
    lengths = np.array([length for _, length in intervals], dtype=np.int64)
    by_hand = [
        sum(begin + max(length, 1) > start for begin, length in intervals[: at + 1])
        for at, (start, _) in enumerate(intervals)
    ]
    assert overlap_at(starts, lengths).tolist() == by_hand
    assert peak_overlap(starts, lengths) == max(by_hand, default=0)


def test_the_peak_with_time_wait_follows_littles_law() -> None:
    plan = plan_of(SMALL, "traffic.0.arrivals.constant=1000/s", "traffic.0.for=5s")
    assert plan.peak_concurrent(500_000_000) == 500
    assert plan.peak_concurrent() == 1


def test_requests_drawn_from_a_law_have_their_services_in_order() -> None:
    plan = plan_of(SMALL, "traffic.0.arrivals.constant=500/s", "traffic.0.requests={geometric: 3}")
    requests, first = plan.columns["requests"], plan.columns["first_service"]
    assert requests.min() == 1
    assert len(set(requests.tolist())) > 5
    assert (first == np.cumsum(requests) - requests).all()
    assert len(plan.service_ns) == requests.sum()
    assert "think_ns" not in plan.files


def test_a_client_that_thinks_pauses_before_all_requests_but_the_first() -> None:
    flags = ["traffic.0.requests=4", "traffic.0.think={exponential: 5ms}"]
    plan = plan_of(SMALL, *flags, "traffic.0.arrivals.constant=2000/s")
    thinks = plan.extra["think_ns"].reshape(-1, 4)
    assert set(thinks[:, 0]) == {0}
    assert stats.kstest(thinks[:, 1:].ravel(), "expon", args=(0, 5e6)).pvalue > 1e-3
    assert plan.answered_ns().tolist() == thinks.sum(axis=1).tolist()
    without = plan_of(SMALL, flags[0], "traffic.0.arrivals.constant=2000/s")
    assert without.digest != plan.digest
    assert without.columns["due_ns"].tolist() == plan.columns["due_ns"].tolist()


def test_a_plan_without_its_trace_is_refused() -> None:
    with pytest.raises(Refused, match=r"a.csv was not read"):
        make_plan(small("traffic.0.arrivals={trace: a.csv}"))


def test_a_client_with_an_idle_limit_plans_no_longer_pause() -> None:
    flags = ["traffic.0.requests=5", "traffic.0.think={exponential: 50ms}"]
    long = [*flags, "traffic.0.arrivals.constant=2000/s"]
    plan = plan_of(SMALL, *long, "clients.idle_timeout=100ms")
    assert plan.extra["think_ns"].max() <= 100_000_000
    lingers = plan.extra["linger_ns"] > 0
    assert (plan.columns["requests"][~lingers] == 5).all()
    assert (plan.columns["requests"][lingers] < 5).all()
    # Each of four pauses is too long with probability exp(-2).
    assert lingers.mean() == pytest.approx(1 - (1 - np.exp(-2)) ** 4, abs=0.04)
    assert (plan.held_ns() - plan.answered_ns() == plan.extra["linger_ns"]).all()
    assert plan.columns["due_ns"].tolist() == plan_of(SMALL, *long).columns["due_ns"].tolist()
