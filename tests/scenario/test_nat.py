"""A NAT in a scenario: a preset, what is given instead, and what is refused."""

from __future__ import annotations

import pytest

from simulator.ports.nat.presets import PRESETS
from simulator.ports.nat.rule import S
from simulator.scenario.nat import nat_hosts
from tests.support.scenarios import SMALL, complaints, small


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_alone_is_its_rule(name: str) -> None:
    scenario = small(f"nat.preset={name}")
    assert scenario.nat is not None
    assert scenario.nat.rule == PRESETS[name]


def test_there_is_no_nat_unless_it_is_given() -> None:
    assert small().nat is None
    assert nat_hosts(small()) == 0


def test_what_is_given_stands_instead() -> None:
    nat = small("nat={preset: linux-masquerade, table: 99, keep_port: false, after_fin: 2s}").nat
    assert nat is not None
    assert (nat.rule.table, nat.rule.keep_port, nat.rule.after_fin_ns) == (99, False, 2 * S)
    assert nat.rule.after_reset_ns == 10 * S


def test_ports_that_double_come_in_blocks_of_the_first_number() -> None:
    nat = small("nat={preset: google-cloud-nat-dynamic, per_host: 128}").nat
    assert nat is not None
    assert nat.rule.block == 128


@pytest.mark.parametrize(
    ("sets", "hosts"),
    [
        ("balancer.driver=none", 16),
        ("balancer.source.addresses=3", 3),
        ("nat.hosts=40", 40),
    ],
)
def test_hosts_are_the_addresses_that_dial_unless_given(sets: str, hosts: int) -> None:
    assert nat_hosts(small("nat.preset=ananta", sets)) == hosts


@pytest.mark.parametrize(
    ("nat", "where", "words"),
    [
        ("{}", "nat.preset", "is missing"),
        ("{preset: aws-nat-gatewy}", "nat.preset", "did you mean aws-nat-gateway?"),
        ("{preset: aws-nlb, cores: 2}", "nat.cores", "not used by aws-nlb, which is on-demand"),
        ("{preset: full-nat, table: 2}", "nat.table", "not used by full-nat"),
        ("{preset: aws-nat-gateway, addresses: 9}", "nat.addresses", "at most 8"),
        ("{preset: azure-nat-gateway, addresses: 17}", "nat.addresses", "at most 16"),
        ("{preset: google-cloud-nat, per_host: 100}", "nat.per_host", "write 128"),
        ("{preset: google-cloud-nat-dynamic, block: 64}", "nat.block", "give per_host"),
        ("{preset: ananta, ports: 2000-2003}", "nat.block", "more than the 4 ports"),
        ("{preset: carrier, most_per_host: 9}", "nat.most_per_host", "less than a block of 256"),
        ("{preset: ananta, per_host: 12}", "nat.per_host", "no whole number of blocks of 8"),
        ("{preset: azure-load-balancer, hosts: 1001}", "nat.hosts", "table ends at 1000"),
        ("{preset: ananta, after_fin: 2}", "nat.after_fin", "needs a unit"),
    ],
)
def test_what_no_such_nat_has(nat: str, where: str, words: str) -> None:
    [complaint] = complaints(SMALL, f"nat={nat}")
    assert complaint.path == where
    assert words in complaint.message


def test_fewer_hosts_than_addresses_that_dial() -> None:
    [complaint] = complaints(SMALL, "nat={preset: ananta, hosts: 2}", "balancer.driver=none")
    assert "less than the 16 source addresses" in complaint.message
