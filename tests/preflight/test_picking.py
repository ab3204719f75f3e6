"""What policies are told comes from the scenario alone, alike for every engine and worker."""

from __future__ import annotations

import pytest

from simulator.preflight.picking import balancer_key, policy_options
from tests.support.scenarios import small

MS = 1_000_000


def test_a_policy_that_looks_at_no_client_has_no_key() -> None:
    assert balancer_key(small()) == ""


def test_a_hash_policy_gets_its_key_and_all_workers_one_salt() -> None:
    scenario = small(
        "balancer.policy.name=bounded-hash",
        "balancer.policy.key=connection",
        "balancer.policy.bound=1.5",
        "backends.count=3",
        "backends.weights=[2, 1]",
    )
    options = policy_options(scenario)
    assert balancer_key(scenario) == "connection"
    assert (options.weights, options.bound, options.backends) == ((2, 1), 1.5, 3)
    assert options.salt == policy_options(scenario).salt


@pytest.mark.parametrize(
    ("close", "ports", "hold_ns"),
    [
        ("client", "kernel", 400 * MS),
        ("balancer", "late-bind", 400 * MS),
        ("backend", "kernel", 0),
        ("client", "userspace", 0),
    ],
)
def test_tuples_are_held_as_long_as_time_wait_holds_them(
    close: str, ports: str, hold_ns: int
) -> None:
    scenario = small(
        "kernel.time_wait=400ms",
        "kernel.port_range=50000-50099",
        f"balancer.close={close}",
        "balancer.source.addresses=2",
        f"balancer.source.ports={ports}",
        "backends.ports=permanent",
    )
    options = policy_options(scenario)
    assert options.hold_ns == hold_ns
    assert options.budget == 200
