"""Names and addresses of the zone: each its own, and no true one is the forger's."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from simulator.dns.message import Message
from simulator.dns.zone import (
    FORGED_ADDRESS,
    FORGED_BYTES,
    RECORD_BYTES,
    index_of,
    is_forged,
    is_true,
    name_of,
    true_addresses,
)

INDEX = st.integers(0, 999_999_999)


@given(INDEX)
def test_a_name_has_its_number(index: int) -> None:
    assert index_of(name_of(index)) == index
    assert index_of(tuple(label.upper() for label in name_of(index))) == index


def test_what_is_not_of_the_zone_has_none() -> None:
    first = name_of(1)
    others = [(), first[:2], (b"x1", *first[1:]), (b"n", *first[1:]), (b"n1x", *first[1:])]
    others += [(b"n1", b"zone", b"example"), (b"n" + b"1" * 10, *first[1:]), (b"a", *first)]
    assert [index_of(name) for name in others] == [None] * len(others)


@given(INDEX, st.integers(0, 4000))
def test_true_addresses_are_for_benchmarks_and_fill_an_answer(index: int, size: int) -> None:
    found = true_addresses(index, size)
    assert len(found) == max(1, size // RECORD_BYTES)
    network = ipaddress.IPv4Network("198.18.0.0/15")
    assert all(ipaddress.IPv4Address(one) in network for one in (found[0], found[-1]))
    assert FORGED_ADDRESS not in found


def test_the_forgers_address_is_of_the_documentation_range() -> None:
    assert str(ipaddress.IPv4Address(FORGED_ADDRESS)) == "203.0.113.66"
    assert ipaddress.IPv4Address(FORGED_BYTES) == ipaddress.IPv4Address(FORGED_ADDRESS)


def test_who_asked_can_tell_truth_from_forgery() -> None:
    truth = Message(ident=1, name=name_of(7), is_answer=True, addresses=true_addresses(7, 64))
    lie = Message(ident=1, name=name_of(7), is_answer=True, addresses=(FORGED_ADDRESS,))
    empty = Message(ident=1, name=name_of(7), is_answer=True)
    assert [is_true(7, one) for one in (truth, lie, empty)] == [True, False, False]
    assert [is_forged(one) for one in (truth, lie, empty)] == [False, True, False]
    assert not is_true(8, truth)
