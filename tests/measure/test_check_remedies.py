"""Ending checks by reset is advised where they hold what ran out, and nowhere else."""

from __future__ import annotations

import pytest

from simulator.measure.check_remedies import check_remedies
from simulator.measure.hops import HopFacts
from simulator.records import Hop
from tests.support.scenarios import small


def facts(hop: Hop) -> HopFacts:
    return HopFacts(
        hop=hop,
        sources=2,
        destinations=1,
        budget=100,
        in_use_peak=100,
        established_peak=1,
        time_wait_peak=99,
        distinct_ports=100,
        exhausted_at_ns=1,
        worst=None,
        sampled=True,
        time_wait_side="connect",
        half_closed_peak=0,
    )


@pytest.mark.parametrize(
    ("every", "close", "hop", "advised"),
    [
        ("10ms", "fin", Hop.BALANCER_BACKEND, "hold 100 of 200 tuples"),
        ("2ms", "fin", Hop.BALANCER_BACKEND, "hold 200 of 200 tuples"),
        ("100ms", "fin", Hop.BALANCER_BACKEND, ""),
        ("10ms", "reset", Hop.BALANCER_BACKEND, ""),
        ("10ms", "fin", Hop.CLIENT_BALANCER, ""),
    ],
)
def test_by_the_share_of_the_budget_that_checks_hold(
    every: str, close: str, hop: Hop, advised: str
) -> None:
    scenario = small(
        f"balancer.health_checks={{every: {'10ms' if every == '2ms' else every}, close: {close}}}",
        f"balancer.workers={5 if every == '2ms' else 1}",
        "kernel.time_wait=1s",
    )
    found = check_remedies(scenario, facts(hop))
    assert len(found) == bool(advised)
    assert not advised or advised in found[0]
