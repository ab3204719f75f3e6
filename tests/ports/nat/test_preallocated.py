"""Preallocated: the table of Azure, the powers of two of Google, and who comes too late."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.nat.flow import Flow, Shortage
from simulator.ports.nat.preallocated import AZURE_MOST, azure_ports, deal, dealt
from simulator.ports.nat.presets import PRESETS, make_nat

AZURE, GOOGLE = PRESETS["azure-load-balancer"], PRESETS["google-cloud-nat"]


@pytest.mark.parametrize(
    ("hosts", "ports"),
    [(1, 1024), (50, 1024), (51, 512), (100, 512), (101, 256), (400, 128), (801, 32), (1000, 32)],
)
def test_the_table_of_azure(hosts: int, ports: int) -> None:
    assert azure_ports(hosts) == ports


def test_the_table_ends() -> None:
    with pytest.raises(ValueError, match="1000 hosts"):
        azure_ports(1001)


@pytest.mark.parametrize(("addresses", "ports"), [(1, 512), (2, 1024), (3, 1024)])
def test_a_third_address_gives_a_pool_of_100_nothing(addresses: int, ports: int) -> None:
    """The example of Azure's own page: 512, 1,024 and 1,024 ports a host."""
    blocks = deal(replace(AZURE, addresses=addresses), 100)
    assert {sum(len(block) for _, block in one) for one in blocks} == {ports}


@given(hosts=st.integers(1, 1000), addresses=st.integers(1, 40))
def test_no_port_is_dealt_twice(hosts: int, addresses: int) -> None:
    blocks = deal(replace(AZURE, addresses=addresses), hosts)
    for one in blocks:
        assert sum(len(block) for _, block in one) <= AZURE_MOST
    for address in range(addresses):
        firsts = sorted(
            (block.first, block.last) for one in blocks for at, block in one if at == address
        )
        assert all(left[1] < right[0] for left, right in itertools.pairwise(firsts))


def test_the_second_address_waits_until_the_first_is_used_up() -> None:
    nat = make_nat(replace(AZURE, addresses=2), 100, 1)
    grants = [nat.take(Flow(0, 1, 1024), 0) for _ in range(1024)]
    assert [one.address for one in grants if one is not None] == [0] * 512 + [1] * 512
    assert nat.take(Flow(0, 1, 1024), 0) is None
    assert nat.shortage is Shortage.PORTS
    assert nat.take(Flow(1, 1, 1024), 0) is not None  # the neighbour's are the neighbour's
    back = grants[0]
    assert back is not None
    nat.give_back(Flow(0, 1, 1024), back, 0, reset=False)
    assert nat.take(Flow(0, 1, 1024), AZURE.after_fin_ns) == back


@pytest.mark.parametrize(("addresses", "ports", "served"), [(1, 64, 1_008), (1, 4_096, 15)])
def test_google_serves_as_many_machines_as_it_says(addresses: int, ports: int, served: int) -> None:
    rule = replace(GOOGLE, addresses=addresses, per_host=ports)
    blocks = deal(rule, served + 1)
    assert [len(one) for one in blocks] == [1] * served + [0]
    nat = make_nat(rule, served + 1, 1)
    assert nat.take(Flow(served, 1, 1024), 0) is None
    assert nat.shortage is Shortage.POOL


@given(
    hosts=st.integers(1, 1000),
    addresses=st.integers(1, 5),
    per_host=st.none() | st.integers(1, 65_536),
)
def test_the_count_is_that_of_the_deal(hosts: int, addresses: int, per_host: int | None) -> None:
    rule = replace(AZURE, addresses=addresses, per_host=per_host)
    served, each = dealt(rule, hosts)
    blocks = [one for one in deal(rule, hosts) if one]
    assert len(blocks) == served
    assert all(sum(len(block) for _, block in one) == each for one in blocks)
