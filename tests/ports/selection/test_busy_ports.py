"""Bits answer what a walk port by port answers: the same port after the same number of probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.range import PortRange
from simulator.ports.selection.busy_ports import BusyPorts
from simulator.ports.selection.linux import LinuxBind, LinuxConnect, scan, usable_size
from simulator.ports.selection.selector import NO_PORT, Asked

if TYPE_CHECKING:
    from collections.abc import Container


def walked(ports: PortRange, start: int, stride: int, in_use: Container[int]) -> tuple[int, int]:
    probes = 0
    for port in scan(ports, start, stride):
        probes += 1
        if port not in in_use:
            return port, probes
    return NO_PORT, probes


@given(
    size=st.integers(1, 41),
    stride=st.sampled_from([1, 2]),
    busy=st.sets(st.integers(0, 40)),
    passed=st.sets(st.integers(0, 50)),
    start=st.integers(0, 1000),
)
def test_a_walk_by_bits_is_a_walk_port_by_port(
    size: int, stride: int, busy: set[int], passed: set[int], start: int
) -> None:
    ports = PortRange(50_000, 50_000 + size - 1)
    mine = BusyPorts(ports, stride)
    taken = {50_000 + one for one in busy if one < size}
    for port in taken:
        mine.take(port)
    mine.pass_over(50_000 + one for one in passed)
    left = taken | {50_000 + one for one in passed}
    at = start % usable_size(ports, stride)
    assert mine.walk(at, usable_size(ports, stride)) == walked(ports, at, stride, left)
    everybody = range(ports.first, ports.last + 1)
    assert [port in mine for port in everybody] == [port in left for port in everybody]
    assert len(mine) == sum(port not in left for port in everybody)


@pytest.mark.parametrize("kind", ["connect", "bind", "bind with reuse", "own range"])
@given(size=st.integers(1, 30), seed=st.integers(0, 99), ends=st.lists(st.integers(0, 29)))
def test_selectors_pick_the_same_from_bits_and_from_a_set(
    kind: str, size: int, seed: int, ends: list[int]
) -> None:
    ports = PortRange(40_000, 40_000 + size - 1)
    stride = 1 if kind == "own range" else 2

    def new() -> LinuxConnect | LinuxBind:
        if kind.startswith("bind"):
            return LinuxBind(ports, seed, reuse=kind == "bind with reuse")
        return LinuxConnect(ports, seed, stride)

    one, other = new(), new()
    bits, plain = BusyPorts(ports, stride), set[int]()
    for end in [*ends, *range(size)]:
        picked = one.pick(Asked("server"), bits)
        assert picked == other.pick(Asked("server"), plain)
        if picked.port:
            bits.take(picked.port)
            plain.add(picked.port)
        if 40_000 + end in plain and end % 3:
            bits.give_back(40_000 + end)
            plain.remove(40_000 + end)


def test_what_is_reserved_is_never_free_and_what_is_outside_never_busy() -> None:
    mine = BusyPorts(PortRange(50_000, 50_009), 2, reserved=[50_002, 60_000])
    assert len(mine) == 9
    mine.give_back(50_002)
    mine.take(49_999)
    assert len(mine) == 9
    assert [port in mine for port in (49_999, 50_002, 60_000)] == [False, True, False]
    assert "50002" not in mine
