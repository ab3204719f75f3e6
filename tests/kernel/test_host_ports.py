"""The port settings of a namespace, as the kernel shows what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.kernel.host_ports import HostPorts, parse_reserved, read_host_ports
from simulator.ports.range import PortRange
from tests.support.namespace import in_namespace, write_sysctl

HAS_DELAY = Path("/proc/sys/net/ipv4/tcp_tw_reuse_delay").exists()


def as_new() -> HostPorts:
    return read_host_ports()


def as_set() -> tuple[HostPorts, HostPorts]:
    write_sysctl("ip_local_port_range", "50000 50999")
    write_sysctl("ip_local_reserved_ports", "50010,50020-50029,8080")
    write_sysctl("tcp_tw_reuse", "1")
    if HAS_DELAY:
        write_sysctl("tcp_tw_reuse_delay", "250")
    first = read_host_ports()
    write_sysctl("tcp_timestamps", "0")
    return first, read_host_ports()


@pytest.mark.namespace
def test_a_new_namespace_has_the_defaults() -> None:
    found = in_namespace(as_new)
    assert found == HostPorts(
        ports=PortRange(32768, 60999), reserved=(), reuse=2, reuse_delay_s=1.0
    )


@pytest.mark.namespace
def test_what_was_set_is_read_and_without_timestamps_nothing_is_reused() -> None:
    found, without = in_namespace(as_set)
    assert found.ports == PortRange(50000, 50999)
    assert found.reserved == (
        *(PortRange(8080, 8080), PortRange(50010, 50010)),
        PortRange(50020, 50029),
    )
    assert found.reuse == 1
    assert found.reuse_delay_s == (0.25 if HAS_DELAY else 1.0)
    assert without.reuse == 0


def test_port_0_in_a_reservation_names_nothing() -> None:
    assert parse_reserved("0-3,9") == (PortRange(1, 3), PortRange(9, 9))
    assert parse_reserved("0") == ()
    assert parse_reserved("") == ()
