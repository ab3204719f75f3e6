"""Ranges of ports: bounds, slices that workers may own, and the registry's three regions."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.range import DYNAMIC, SYSTEM, USER, PortRange, parse_port_range, region

ports = st.integers(1, 65535)
ranges = st.tuples(ports, ports).map(lambda ends: PortRange(min(ends), max(ends)))


@given(one=ranges)
def test_length_membership_and_text_agree(one: PortRange) -> None:
    assert len(one) == sum(port in one for port in range(65537))
    assert parse_port_range(str(one)) == one
    assert parse_port_range(f"  {one.first} -  {one.last} ") == one


@given(one=ranges, data=st.data())
def test_slices_are_disjoint_in_order_together_the_whole_and_nearly_equal(
    one: PortRange, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, min(len(one), 64)))
    slices = [one.slice(index, count) for index in range(count)]
    assert slices[0].first == one.first
    assert slices[-1].last == one.last
    for before, after in itertools.pairwise(slices):
        assert after.first == before.last + 1
    sizes = [len(part) for part in slices]
    assert max(sizes) - min(sizes) <= 1


@given(one=ranges)
def test_there_is_no_slice_without_a_port(one: PortRange) -> None:
    with pytest.raises(ValueError, match=f"holds {len(one)} ports, too few"):
        one.slice(0, len(one) + 1)


@pytest.mark.parametrize("ends", [(0, 5), (1, 65536), (-1, 3), (65536, 65537)])
def test_a_port_out_of_bounds_is_refused_with_an_example(ends: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="49152-65535"):
        PortRange(*ends)


def test_a_range_the_wrong_way_round_is_refused_with_the_right_one() -> None:
    with pytest.raises(ValueError, match="write 10-20"):
        PortRange(20, 10)


@pytest.mark.parametrize(
    "text",
    ["", "-", "49152", "49152-", "-65535", "1-2-3", "a-b", "1,2", "1 2", "1234567-2", "1--2"],
)
def test_what_is_no_range_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write first-last"):
        parse_port_range(text)


@given(text=st.text(alphabet="0123456789- ", max_size=30))
def test_any_text_is_a_range_or_a_value_error(text: str) -> None:
    try:
        found = parse_port_range(text)
    except ValueError:
        return
    assert 1 <= found.first <= found.last <= 65535


def test_the_regions_are_those_of_rfc_6335_and_cover_every_port_once() -> None:
    assert (SYSTEM.last, USER.first, USER.last, DYNAMIC.first) == (1023, 1024, 49151, 49152)
    assert len(SYSTEM) + len(USER) + len(DYNAMIC) == 65535
    for name, one in (("system", SYSTEM), ("user", USER), ("dynamic", DYNAMIC)):
        assert {region(one.first), region(one.last)} == {name}
    assert region(0) == "system"
