"""A sidecar in a scenario file: what it takes, and what it cannot stand before."""

from __future__ import annotations

import pytest

from simulator.scenario.sidecar import Sidecar
from tests.support.scenarios import SMALL, complaints, small


def test_there_is_none_unless_asked_for() -> None:
    assert small().sidecar is None


def test_an_empty_one_has_a_source_and_timeouts() -> None:
    sidecar = small("sidecar={}").sidecar
    assert sidecar == Sidecar()
    assert sidecar is not None
    assert (sidecar.workers, sidecar.source.addresses, sidecar.source.ports) == (1, 1, "kernel")


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        (["balancer.driver=none"], "sidecar", "balancer.driver is none"),
        (
            ["balancer.close=balancer", "sidecar.idle_timeout=1s", "balancer.idle_timeout=1s"],
            "sidecar.idle_timeout",
            "would not close first",
        ),
        (["sidecar.policy=random"], "sidecar.policy", "belongs below balancer"),
        (
            ["sidecar.source={ports: kernel, range: 2000-2999}"],
            "sidecar.source.range",
            "is not used",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(given: list[str], path: str, words: str) -> None:
    found = complaints(SMALL, "sidecar={}", *given)
    assert [one.path for one in found] == [path]
    assert words in found[0].message


def test_clients_keep_out_of_the_range_that_the_kernel_hands_to_a_sidecar() -> None:
    scenario = small("sidecar={}", "balancer.source.ports=userspace")
    clients = scenario.clients.source.range
    assert clients is not None
    ports = scenario.kernel.port_range
    assert clients.last < ports.first or ports.last < clients.first
