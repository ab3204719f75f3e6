"""What is plain, what is not, and how a plain connection goes."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.model.plain import client_ports, course, fate, is_plain
from simulator.scenario.load import load_file
from simulator.traffic.plan import make_plan
from tests.support.command import SCENARIOS
from tests.support.scenarios import small

MS = 1_000_000
PLAIN = ("balancer.source.ports=kernel", "kernel.time_wait=500ms", "backends.ports=permanent")


def plain(*changes: str) -> bool:
    asked = small(*PLAIN, *changes)
    return is_plain(asked, make_plan(asked).files)


@pytest.mark.parametrize(
    "change",
    [
        "balancer.close=backend",
        "balancer.close=reset",
        "backends.concurrency=1",
        "backends.refusing=1",
        "backends.faults={error_rate: 0.5}",
        "backends.churn={rate: 1/s}",
        "backends.idle_timeout=5s",
        "balancer.workers=2",
        "balancer.source.ports=userspace",
        "balancer.retry_budget={share: 0.5}",
        "balancer.idle_timeout=1ms",
        "clients.retry={attempts: 2}",
        "balancer.cap=5",
        "balancer.on_no_port=queue",
        "balancer.health_checks={every: 1s}",
        "balancer.ejection={failures: 2}",
        "balancer.slow_start=1s",
        "backends.stream={chunk: 64B}",
        "backends.flapping={count: 1}",
        "sidecar={}",
        "kernel.port_range=50000-50100",
        "clients.timeout=1ms",
        "clients.source.ports=kernel",
        "traffic.only.requests=2",
    ],
)
def test_what_needs_the_order_of_events_is_not_plain(change: str) -> None:
    assert plain()
    assert not plain(change, "backends.service_time=2ms", "traffic.only.lifetime=3ms")


@pytest.mark.parametrize("change", ["balancer.policy=random", "balancer.retries=1"])
def test_several_backends_are_plain_in_turn_without_retries(change: str) -> None:
    several = ("backends.count=3", "balancer.retries=0")
    assert plain(*several)
    assert not plain(*several, change)
    assert plain(change), "with one backend there is nothing to choose"


@pytest.mark.parametrize(
    "name", ["port-wall", "hold-the-range", "late-bind", "many-addresses", "why-dynamic-range"]
)
def test_the_main_lessons_are_plain(name: str) -> None:
    loaded = load_file(SCENARIOS / f"{name}.yaml")
    for scenario in [one.scenario for one in loaded.variants] or [loaded.scenario]:
        assert is_plain(scenario, make_plan(scenario).files)


def test_a_course_is_the_plan_on_a_machine_with_enough_tuples() -> None:
    asked = small(
        *PLAIN, "backends.count=2", "balancer.source.addresses=3", "backends.service_time=4ms",
        "traffic.only.lifetime=3ms", "balancer.retries=0", "balancer.source.ports=late-bind",
    )  # fmt: skip
    found = course(asked, make_plan(asked).files)
    assert set((found.answered - found.due).tolist()) == {4 * MS}
    assert set((found.closed - found.due).tolist()) == {4 * MS}
    assert set(found.hold.tolist()) == {504 * MS}
    assert found.backend.tolist() == [0, 1] * 5
    # Each backend's turn of addresses begins at another one.
    assert found.source.tolist() == [0, 1, 1, 2, 2, 0, 0, 1, 1, 2]
    assert len(np.unique(found.group)) == 6


def test_ports_are_inherited_along_chains() -> None:
    asked = small(*PLAIN, "kernel.port_range=50000-50001", "kernel.time_wait=150ms")
    found = course(asked, make_plan(asked).files)
    got = fate(asked, found, np.array([50_001, 50_000]))
    assert got.taken.all()
    assert got.port.tolist() == [50_001, 50_000] * 5
    assert got.before.tolist() == [-1, -1, *range(8)]


def test_client_ports_come_round_after_all_were_used() -> None:
    asked = small(*PLAIN, "clients.source={addresses: 2, range: 30000-30002}")
    source, port, period = client_ports(asked, course(asked, make_plan(asked).files))
    assert period == 6
    pairs = list(zip(source.tolist(), port.tolist(), strict=True))
    assert len(set(pairs[:6])) == 6
    assert pairs[6:] == pairs[:4]
