"""On demand: the limit is one address toward one destination."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.ports.nat.flow import Flow, Shortage
from simulator.ports.nat.presets import PRESETS, make_nat
from simulator.ports.nat.rule import S
from simulator.ports.range import PortRange

AWS = PRESETS["aws-nat-gateway"]


@pytest.mark.parametrize(("addresses", "limit"), [(1, 55_000), (2, 110_000)])
def test_aws_allows_55_000_flows_to_one_destination_for_each_address(
    addresses: int, limit: int
) -> None:
    nat = make_nat(replace(AWS, addresses=addresses), 1, 1)
    grants = {nat.take(Flow(0, 7, 1024), 0) for _ in range(limit)}
    assert len(grants) == limit
    assert None not in grants
    assert nat.take(Flow(0, 7, 1024), 0) is None
    assert nat.shortage is Shortage.PORTS
    assert nat.take(Flow(0, 8, 1024), 0) is not None  # another destination has them anew


def test_a_port_that_rests_serves_another_destination_meanwhile() -> None:
    rule = replace(PRESETS["azure-nat-gateway"], ports=PortRange(2000, 2000))
    nat = make_nat(rule, 1, 1)
    here, there = Flow(0, 1, 1024), Flow(0, 2, 1024)
    grant = nat.take(here, 0)
    assert grant is not None
    nat.give_back(here, grant, 0, reset=True)
    assert nat.take(here, 16 * S - 1) is None
    assert nat.take(there, 16 * S - 1) == grant
    assert nat.take(here, 16 * S) == grant


def test_all_flows_together_stay_within_the_table() -> None:
    nat = make_nat(replace(AWS, table=10, after_fin_ns=S), 1, 1)
    flows = [Flow(0, destination, 1024) for destination in range(10)]
    grants = [nat.take(flow, 0) for flow in flows]
    assert nat.take(Flow(0, 99, 1024), 0) is None
    assert nat.shortage is Shortage.TABLE
    assert grants[0] is not None
    nat.give_back(flows[0], grants[0], 0, reset=False)
    assert nat.take(Flow(0, 99, 1024), S - 1) is None
    assert nat.take(Flow(0, 99, 1024), S) is not None
