"""Where connections come from: every mode the dialers know can be named, and no other."""

from __future__ import annotations

from typing import get_args

import pytest

from simulator.live.port_modes import Mode
from simulator.ports.range import PortRange
from simulator.scenario.source import Source, SourcePortMode
from tests.support.scenarios import SMALL, complaints, small


def test_the_modes_are_those_of_the_dialers() -> None:
    assert get_args(SourcePortMode) == get_args(Mode)


def test_a_source_says_from_where_and_who_picks() -> None:
    given = "balancer.source={addresses: 3, ports: userspace, pick: sequential, range: 2000-2999}"
    source = small(given).balancer.source
    assert isinstance(source, Source)
    assert (source.addresses, source.ports, source.pick) == (3, "userspace", "sequential")
    assert source.range == PortRange(2000, 2999)


def test_more_addresses_than_there_can_be_are_refused() -> None:
    (found,) = complaints(SMALL, "balancer.source.addresses=4097")
    assert found.path == "balancer.source.addresses"


def test_another_system_has_its_own_range_and_wait() -> None:
    source = small("clients.source={ports: kernel, system: macos}").clients.source
    assert source.rules is not None
    assert source.rules.ports == PortRange(49152, 65535)
    assert small().clients.source.rules is None


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ("clients.source={system: windows}", "clients.source.system", "not userspace"),
        ("clients.source={ports: kernel, time_wait: 30s}", "clients.source.time_wait", "kernel."),
        ("sidecar.source.system=macos", "sidecar.source.system", "of this machine"),
        ("clients.source.system=windoze", "clients.source.system", "did you mean windows?"),
    ],
)
def test_what_no_system_does(change: str, where: str, words: str) -> None:
    (found,) = complaints(SMALL, change)
    assert found.path == where
    assert words in found.message
