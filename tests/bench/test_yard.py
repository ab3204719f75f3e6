"""One round of the relay bench, for real: work is done without errors and nothing is left."""

from __future__ import annotations

from functools import partial

import pytest

from simulator.bench import haproxy, nginx
from simulator.bench.workloads import CLOSE_BOTH
from simulator.bench.yard import RoundPlan, RoundResult, run_round
from tests.support.namespace import Child

SUBJECTS = [
    "own",
    "own-asyncio",
    "uvloop-protocol",
    pytest.param("haproxy", marks=pytest.mark.haproxy),
    "nginx",
]
PEERS = {"haproxy": haproxy.find, "nginx": nginx.find}


def skip_if_absent(subject: str) -> None:
    """A peer may not be installed."""
    if subject in PEERS and PEERS[subject]() is None:
        pytest.skip(f"{subject} is not installed")


def in_child(plan: RoundPlan) -> RoundResult:
    """Run a round in a forked process, which enters the namespace itself."""
    child = Child(lambda _pipe: partial(run_round, plan)(), alarm_s=60)
    try:
        result: RoundResult = child.receive()
    finally:
        child.join()
    return result


@pytest.mark.namespace
@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_round_measures_work_that_was_done(subject: str) -> None:
    skip_if_absent(subject)
    result = in_child(RoundPlan(subject=subject, seconds=0.5, warmup_s=0.3, at_once=16))
    assert result.errors == 0
    assert result.done > 50
    assert result.seconds >= 0.5
    # The process cannot have used more than the whole of its one core; 10 ms for the clock's grain.
    assert 0 < result.busy < 1 + 0.01 / 0.5
    assert result.cpu_us == pytest.approx(result.busy * result.seconds * 1e6 / result.done)
    assert result.user_us + result.system_us == pytest.approx(result.cpu_us)


@pytest.mark.namespace
@pytest.mark.alone
@pytest.mark.parametrize("subject", ["own", pytest.param("nginx", marks=pytest.mark.nginx)])
def test_who_ends_both_sides_at_once_gets_the_same_done(subject: str) -> None:
    skip_if_absent(subject)
    plan = RoundPlan(
        subject=subject, seconds=0.3, warmup_s=0.2, at_once=16, workload=CLOSE_BOTH.name
    )
    result = in_child(plan)
    assert result.errors == 0
    assert result.done > 50


@pytest.mark.namespace
@pytest.mark.alone
@pytest.mark.parametrize("workload", ["keepalive", "bulk"])
def test_open_connections_are_kept_busy(workload: str) -> None:
    plan = RoundPlan(subject="own", seconds=0.3, warmup_s=0.2, at_once=4, workload=workload)
    result = in_child(plan)
    assert result.errors == 0
    assert result.done > 20
    assert result.memory_bytes == 0


@pytest.mark.namespace
@pytest.mark.parametrize("subject", ["own", pytest.param("haproxy", marks=pytest.mark.haproxy)])
def test_memory_is_counted_for_connections_that_are_held(subject: str) -> None:
    skip_if_absent(subject)
    plan = RoundPlan(subject=subject, seconds=0.2, warmup_s=0.1, at_once=1_000, workload="hold")
    result = in_child(plan)
    assert (result.done, result.errors) == (1_000, 0)
    # Our relay is forked from this process here, whose heap may have room for all it needs.
    at_least = 0 if subject == "own" else 16
    assert at_least <= result.memory_bytes < 100_000
