"""The verdict on a NAT, word for word, from runs of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

CALLS = """\
title: t
backends: {ports: random, range: 20000-20000}
balancer: {driver: none}
clients: {source: {addresses: 1, range: 30000-40000}}
traffic: [{name: calls, for: 10s, arrivals: {constant: 10/s}}]
"""


def verdict(root: Path, *sets: str) -> dict[str, Any]:
    summary, _ = modelled(CALLS, root, *sets)
    found: dict[str, Any] = summary["verdict"]
    assert len(found["sentence"].splitlines()) == 1
    return found


def test_ports_at_rest(tmp_path: Path) -> None:
    found = verdict(tmp_path, "nat={preset: aws-nat-gateway, per_destination: 50}")
    assert found["sentence"] == (
        "The NAT (aws-nat-gateway) had no port left for address 1 toward 127.4.0.1:20000 after "
        "5.0 s: 50 of 50 in use (0 open, 50 at rest); a port rests 60s after a close; 50.0 % of "
        "connections failed (NAT_PORTS), there counted as ErrorPortAllocation."
    )
    assert found["hop"] == "nat-backend"
    assert found["evidence"]["cause"] == "at-rest"


def test_ports_in_use(tmp_path: Path) -> None:
    found = verdict(tmp_path, "nat={preset: ananta, most_per_host: 8}", "traffic.0.lifetime=20s")
    assert "8 of 8 in use (8 open, 0 at rest); open connections hold them;" in found["sentence"]
    assert found["evidence"]["cause"] == "held"


def test_a_full_table(tmp_path: Path) -> None:
    found = verdict(tmp_path, "nat={preset: linux-masquerade, table: 20}", "backends.count=1")
    assert found["code"] == "nat-table"
    assert "tracks no more than 20 connections, and did after 2.0 s" in found["sentence"]
    assert "a port rests 120s after a close and 10s after a reset" in found["sentence"]


def test_hosts_without_any_port(tmp_path: Path) -> None:
    nat = "nat={preset: google-cloud-nat, ports: 1024-1151}"
    found = verdict(tmp_path, nat, "clients.source.addresses=4")
    assert "has ports for 2 of its 4 hosts and refused the others after" in found["sentence"]


def test_all_blocks_are_lent(tmp_path: Path) -> None:
    found = verdict(tmp_path, "nat={preset: ananta, ports: 1024-1055}")
    assert "had no more ports to lend after 3.2 s: all 32 are with hosts" in found["sentence"]


def test_a_wall_that_retries_hid_is_a_wall(tmp_path: Path) -> None:
    """30 random picks over two destinations of 15 ports: one is full while the other is not."""
    sets = ("nat={preset: aws-nlb, per_destination: 15}", "traffic.0.for=3s", "seed=4")
    hidden = ("balancer={driver: own, policy: random, retries: 3}", "backends.count=2")
    found = verdict(tmp_path, *sets, *hidden, "backends.range=20000-20009")
    assert found["code"] == "nat-ports"
    assert "retries toward other backends saved every connection" in found["sentence"]


def test_a_vendors_own_table_is_not_enlarged(tmp_path: Path) -> None:
    found = verdict(tmp_path, "nat={preset: azure-nat-gateway, table: 20}")
    assert found["code"] == "nat-table"
    assert not any("nf_conntrack_max" in one for one in found["remedies"])
