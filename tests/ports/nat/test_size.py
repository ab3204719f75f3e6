"""The size of a NAT is what its rule really hands out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.ports.nat.flow import Flow
from simulator.ports.nat.presets import PRESETS, make_nat
from simulator.ports.nat.size import nat_size
from simulator.ports.range import PortRange

if TYPE_CHECKING:
    from simulator.ports.nat.rule import NatRule

PORTS = PortRange(1024, 1151)


@pytest.mark.parametrize(
    ("rule", "total"),
    [
        (replace(PRESETS["aws-nat-gateway"], ports=PORTS, addresses=2), 512),
        (replace(PRESETS["aws-nat-gateway"], ports=PORTS, per_destination=100), 200),
        (replace(PRESETS["google-cloud-nat"], ports=PORTS, per_host=32), 256),
        (replace(PRESETS["ananta"], ports=PORTS), 256),
        (replace(PRESETS["ananta"], ports=PORTS, most_per_host=16), 128),
        (replace(PRESETS["carrier"], ports=PORTS, block=32, most_per_host=64), 128),
        (replace(PRESETS["google-cloud-nat-dynamic"], ports=PORTS, most_per_host=64), 256),
        (replace(PRESETS["azure-nat-gateway"], ports=PORTS, table=99), 99),
    ],
    ids=str,
)
def test_as_many_flows_as_it_says(rule: NatRule, total: int) -> None:
    """Four hosts open flows to two destinations in turn, each from a port of its own."""
    assert nat_size(rule, 4).tuples(2) == total
    nat = make_nat(rule, 4, 1)
    flows = (Flow(at % 4, at // 4 % 2, 2000 + at) for at in range(4_000))
    assert sum(nat.take(flow, 0) is not None for flow in flows) == total


def test_eight_addresses_of_aws_are_440_000() -> None:
    assert nat_size(replace(PRESETS["aws-nat-gateway"], addresses=8), 1).tuples(1) == 440_000


def test_each_core_has_its_part() -> None:
    size = nat_size(replace(PRESETS["full-nat"], addresses=2), 1)
    assert (size.near, size.ports) == (16, 64_511 // 8)


def test_ports_of_idle_hosts_are_no_use_to_the_others() -> None:
    assert nat_size(PRESETS["google-cloud-nat"], 1_008, 1).tuples(1) == 64
    assert nat_size(PRESETS["ananta"], 1_008, 1).tuples(1) == 64_512
    assert nat_size(PRESETS["aws-nlb"], 1_008, 1).tuples(1) == 55_000


def test_who_is_served() -> None:
    assert nat_size(PRESETS["google-cloud-nat"], 2_000).served == 1_008
    assert nat_size(PRESETS["azure-load-balancer"], 60).ports == 512
    assert nat_size(replace(PRESETS["google-cloud-nat"], per_host=65_536), 3).served == 0
