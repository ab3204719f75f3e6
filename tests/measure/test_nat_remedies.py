"""Remedies of a NAT: each gains what its arithmetic says; what cannot be had is not told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

CALLS = """\
title: t
backends: {ports: random, range: 20000-29999}
balancer: {driver: none}
clients: {source: {addresses: 1, range: 30000-40000}}
traffic: [{name: calls, for: 10s, arrivals: {constant: 10/s}, requests: 10, lifetime: 10ms}]
"""


def remedies(root: Path, *sets: str) -> list[str]:
    summary, _ = modelled(CALLS, root, *sets)
    assert summary["verdict"]["code"].startswith("nat-")
    found: list[str] = summary["verdict"]["remedies"]
    assert len(found) <= 3
    return found


@pytest.mark.parametrize(
    ("nat", "words"),
    [
        (
            "{preset: aws-nat-gateway, per_destination: 60}",
            "(nat.addresses: 2): ceiling 1/s -> ",
        ),
        (
            "{preset: azure-nat-gateway, per_destination: 65}",
            "(balancer.close: reset)",
        ),
        ("{preset: azure-load-balancer, hosts: 900}", "azure-nat-gateway"),
        ("{preset: google-cloud-nat, per_host: 64}", "google-cloud-nat-dynamic"),
        ("{preset: carrier, most_per_host: 32, block: 32}", "(nat.mapping: destination)"),
        ("{preset: linux-masquerade, table: 60}", "(nat.after_fin: 30s): ceiling 0.5/s -> 2/s"),
        ("{preset: full-nat, ports: 2000-2039, cores: 4}", "further local addresses"),
    ],
)
def test_the_vendors_own_ways(tmp_path: Path, nat: str, words: str) -> None:
    count = 4 if "mapping" in words else 1
    found = remedies(tmp_path, f"nat={nat}", f"backends.count={count}")
    assert any(words in one for one in found), found


def test_no_gateway_is_given_more_addresses_than_it_may_have(tmp_path: Path) -> None:
    found = remedies(tmp_path, "nat={preset: aws-nat-gateway, addresses: 8, per_destination: 5}")
    assert not any("nat.addresses" in one for one in found)


def test_the_share_that_every_host_can_have(tmp_path: Path) -> None:
    """64,000 ports for 900 hosts: 71, in eights 64; twice what the table gives."""
    found = remedies(tmp_path, "nat={preset: azure-load-balancer, hosts: 900}")
    assert any("(nat.per_host: 64)" in one for one in found)
