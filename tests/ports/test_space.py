"""The port space: every port of the range counts once, by its liveliest tuple."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.range import PortRange
from simulator.ports.space import BINS, STATES, bin_count, bin_sizes, space

held_ports = st.lists(st.integers(40_000, 40_400), max_size=60)


@given(size=st.integers(1, 400), held=st.fixed_dictionaries(dict.fromkeys(STATES, held_ports)))
def test_each_port_of_the_range_counts_once(size: int, held: dict[str, list[int]]) -> None:
    ports = PortRange(40_010, 40_010 + size - 1)
    told = space(ports, {name: np.array(found, dtype=np.uint16) for name, found in held.items()})
    rank: dict[int, str] = {}
    for name in reversed(STATES):
        rank |= {port: name for port in held[name] if port in ports}
    assert {name: sum(told.get(name, [])) for name in STATES} == {
        name: Counter(rank.values())[name] for name in STATES
    }
    for name in STATES:
        counts = told.get(name, [0] * told["bins"])
        assert len(counts) == told["bins"] == bin_count(size)
        assert (np.array(counts) <= bin_sizes(ports)).all()


@pytest.mark.parametrize("last", [1, 127, 128, 129, 1000, 65_535])
def test_bins_share_the_range_out_evenly(last: int) -> None:
    sizes = bin_sizes(PortRange(1, last))
    assert sizes.sum() == last
    assert len(sizes) == min(BINS, last)
    assert sizes.max() - sizes.min() <= 1


def test_a_port_is_in_the_bin_of_its_place() -> None:
    told = space(PortRange(50_000, 50_255), {"time_wait": np.array([50_000, 50_001, 50_255])})
    assert (told["first"], told["last"], told["bins"]) == (50_000, 50_255, 128)
    assert told["time_wait"] == [2] + [0] * 126 + [1]
    assert "established" not in told
