"""One round of the relay bench, for real: work is done without errors and nothing is left."""

from __future__ import annotations

from functools import partial

import pytest

from simulator.bench import haproxy
from simulator.bench.yard import RoundPlan, RoundResult, run_round
from tests.support.namespace import Child

SUBJECTS = [
    "own",
    "own-asyncio",
    "uvloop-protocol",
    pytest.param("haproxy", marks=pytest.mark.haproxy),
]


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
    if subject == "haproxy" and haproxy.find() is None:
        pytest.skip("haproxy is not installed")
    result = in_child(RoundPlan(subject=subject, seconds=0.5, warmup_s=0.3, at_once=16))
    assert result.errors == 0
    assert result.connections > 50
    assert result.seconds >= 0.5
    # The process cannot have used more than the whole of its one core; 10 ms for the clock's grain.
    assert 0 < result.busy < 1 + 0.01 / 0.5
    assert result.cpu_us == pytest.approx(result.busy * result.seconds * 1e6 / result.connections)
    assert result.user_us + result.system_us == pytest.approx(result.cpu_us)
