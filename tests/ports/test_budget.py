"""Tuples of a hop: ports for each source address, times what they are counted by."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.budget import HopBudget, ports_within
from simulator.ports.range import PortRange

RANGES = st.tuples(st.integers(1, 300), st.integers(0, 60)).map(
    lambda pair: PortRange(pair[0], pair[0] + pair[1])
)


@given(RANGES, st.lists(RANGES, max_size=4))
def test_blocks_are_counted_once_and_only_within(ports: PortRange, blocks: list[PortRange]) -> None:
    within = [
        port
        for port in range(ports.first, ports.last + 1)
        if any(port in block for block in blocks)
    ]
    assert ports_within(ports, blocks) == len(within)


@pytest.mark.parametrize(("per", "groups", "total"), [("tuple", 6, 600), ("address", 2, 200)])
def test_a_bound_port_serves_one_destination_only(
    per: Literal["tuple", "address"], groups: int, total: int
) -> None:
    budget = HopBudget(
        name="balancer-backend",
        mode="kernel",
        sources=2,
        destinations=3,
        range_text="1000-1099",
        reserved=0,
        listening=0,
        budget=100,
        per=per,
    )
    assert (budget.groups, budget.total) == (groups, total)
