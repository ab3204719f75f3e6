"""Addresses by party: distinct hosts, spread in turn, nothing for a plain connect."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from simulator.preflight.places import (
    BACKEND_PREFIX,
    BALANCER_PREFIX,
    CLIENT_PREFIX,
    FRONT,
    FRONT_PREFIX,
    addresses,
    backend_addresses,
    client_addresses,
    source_addresses,
)
from tests.support.scenarios import small

PREFIXES = {CLIENT_PREFIX, FRONT_PREFIX, BALANCER_PREFIX, BACKEND_PREFIX}


@given(prefix=st.sampled_from(sorted(PREFIXES)), count=st.integers(1, 4096))
def test_addresses_are_distinct_hosts_below_their_prefix(prefix: int, count: int) -> None:
    found = [ip_address(text) for text in addresses(prefix, count)]
    network = ip_network((prefix << 16, 16))
    assert len(set(found)) == count
    assert all(one in network and one.is_loopback for one in found)
    assert all(int(one) & 255 not in (0, 255) for one in found)


def test_the_front_has_a_prefix_of_its_own() -> None:
    assert len(PREFIXES) == 4
    assert int(ip_address(FRONT[0])) >> 16 == FRONT_PREFIX


def test_a_plain_connect_names_no_address_and_is_recorded_as_the_routed_one() -> None:
    plain = small("clients.source.addresses=1", "clients.source.ports=kernel")
    assert source_addresses(plain.clients.source, CLIENT_PREFIX) == ()
    assert client_addresses(plain) == ("127.0.0.1",)
    assert client_addresses(small("clients.source.addresses=2")) == ("127.1.0.1", "127.1.0.2")


def test_backends_stand_on_their_addresses_in_turn() -> None:
    asked = small("backends.count=3", "backends.addresses=2")
    assert backend_addresses(asked) == ("127.4.0.1", "127.4.0.2", "127.4.0.1")
