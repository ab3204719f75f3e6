"""Ranges and pools: their sizes as documented, and the kernel's own range as oracle for Linux."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.range import DYNAMIC
from simulator.ports.systems import POOLS, SYSTEMS, pools_with, systems_with
from tests.support.namespace import in_namespace

BY_NAME = {system.name: system for system in SYSTEMS}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Linux", 28_232),
        ("Windows", 16_384),
        ("Windows 2003", 3_976),
        ("macOS", 16_384),
        ("FreeBSD", 55_536),
        ("OpenBSD", 48_128),
        ("NetBSD", 16_384),
        ("Solaris", 32_768),
    ],
)
def test_ranges_have_the_sizes_their_documentation_gives(name: str, size: int) -> None:
    assert len(BY_NAME[name].ports) == size


@pytest.mark.namespace
def test_linux_is_as_a_new_namespace_of_this_kernel_says() -> None:
    def read() -> str:
        return Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()

    assert "-".join(in_namespace(read).split()) == str(BY_NAME["Linux"].ports)


def test_three_systems_keep_to_the_dynamic_range() -> None:
    inside = {system.name for system in SYSTEMS if system.ports == DYNAMIC}
    assert inside == {"Windows", "macOS", "NetBSD"}


@given(port=st.integers(0, 65_535))
def test_a_system_or_pool_is_named_exactly_for_the_ports_of_its_range(port: int) -> None:
    assert {each.name for each in systems_with(port)} == {
        each.name for each in SYSTEMS if each.ports.first <= port <= each.ports.last
    }
    assert all(each.ports.first <= port <= each.ports.last for each in pools_with(port))


def test_the_dns_pool_takes_about_one_port_in_seven() -> None:
    (pool,) = (pool for pool in POOLS if pool.takes)
    assert pool.chance == pytest.approx(2_500 / 16_384)


def test_each_row_can_be_checked() -> None:
    assert all(each.source for each in (*SYSTEMS, *POOLS))
