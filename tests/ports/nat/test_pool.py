"""Ports rest as long as they must, in whatever order they come back."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.nat.pool import Pool
from simulator.ports.selection.free_list import NO_PORT_LEFT, SequentialFreePorts


def pool(ports: int, most: int | None = None) -> Pool:
    return Pool(SequentialFreePorts(array("H", range(1024, 1024 + ports))), most)


@pytest.mark.parametrize("most", [None, 3, 9])
def test_as_many_ports_as_there_are_and_no_more(most: int | None) -> None:
    one = pool(5, most)
    count = min(5, most or 5)
    assert len({one.take(0) for _ in range(count)}) == count
    assert one.take(0) == NO_PORT_LEFT


def test_a_shorter_rest_ends_first_though_it_began_later() -> None:
    one = pool(2)
    first, second = one.take(0), one.take(0)
    one.give_back(first, 0, 65)
    one.give_back(second, 10, 16)
    assert one.take(25) == NO_PORT_LEFT
    assert one.settle(26) == [(26, second)]
    assert one.take(64) == second
    assert one.take(64) == NO_PORT_LEFT
    assert one.take(65) == first


def test_what_rests_counts_against_the_limit() -> None:
    one = pool(5, most=1)
    port = one.take(0)
    one.give_back(port, 0, 10)
    assert one.take(9) == NO_PORT_LEFT
    assert one.take(10) != NO_PORT_LEFT


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_everything_comes_back_by_its_moment(rests: list[int]) -> None:
    one = pool(len(rests))
    ports = [one.take(0) for _ in rests]
    for port, rest in zip(ports, rests, strict=True):
        one.give_back(port, 0, rest)
    for moment in range(51):
        one.settle(moment)
        assert len(one.resting) == sum(rest > moment for rest in rests)
    assert {one.take(50) for _ in rests} == set(ports)
