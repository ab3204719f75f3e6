"""Where connections come from: every mode the dialers know can be named, and no other."""

from __future__ import annotations

from typing import get_args

from simulator.live.dialer import Mode
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
