"""The model's port space: intervals give what looking at each moment by itself would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.model.port_space import MOST_MOMENTS, interval_spaces, told_at
from simulator.ports.range import PortRange
from simulator.ports.space import STATES, space
from tests.support.modelled import modelled

if TYPE_CHECKING:
    from pathlib import Path

PORTS = PortRange(40_000, 40_299)
spans = st.lists(
    st.tuples(st.integers(39_990, 40_310), st.integers(0, 50), st.integers(0, 30)), max_size=30
)
TEXT = """\
title: ports in a model
kernel: {port_range: 50000-50399, time_wait: 500ms}
backends: {count: 1, ports: random, range: 10000-29999}
balancer: {close: client}
traffic: [{name: only, for: 2s, arrivals: {constant: 1000/s}}]
"""


@given(held=st.fixed_dictionaries(dict.fromkeys(STATES, spans)))
def test_intervals_give_what_each_moment_gives(held: dict[str, list[tuple[int, int, int]]]) -> None:
    moments = np.arange(0, 90, 7, dtype=np.int64)
    columns = {
        state: tuple(
            np.array(one, dtype=np.int64)
            for one in (
                [port for port, _, _ in rows],
                [begin for _, begin, _ in rows],
                [begin + length for _, begin, length in rows],
            )
        )
        for state, rows in held.items()
    }
    found = interval_spaces(PORTS, moments, columns)  # type: ignore[arg-type]
    for at, moment in enumerate(moments.tolist()):
        now = {
            state: np.array([p for p, begin, length in rows if begin <= moment < begin + length])
            for state, rows in held.items()
        }
        assert found[at] == space(PORTS, now)


@pytest.mark.parametrize("count", [1, 7, 120, 121, 5000])
def test_samples_that_tell_are_few_even_and_end_with_the_last(count: int) -> None:
    found = told_at(count)
    assert 1 <= len(found) <= MOST_MOMENTS
    assert found[-1] == count - 1
    assert len(set(np.diff(found))) <= 1


def test_a_nat_that_only_counts_its_places_tells_no_ports(tmp_path: Path) -> None:
    behind = TEXT.replace(
        "balancer: {close: client}", "balancer: {driver: none}\nnat: {preset: ananta}"
    )
    _, run = modelled(behind, tmp_path)
    told = {name: "ports" in hop for one in run.samples for name, hop in one["hops"].items()}
    assert told == {"client-backend": True, "nat-backend": False}


@pytest.mark.parametrize("path", ["stretches", "events"])
def test_ports_agree_with_the_tuples_of_the_same_sample(tmp_path: Path, path: str) -> None:
    # Few connections go by events, which know at what cost each port was found.
    more = ["traffic.0.arrivals.constant=5100/s", "kernel.port_range=50000-53999"]
    more = [] if path == "events" else more
    summary, run = modelled(TEXT, tmp_path, *more)
    assert summary["model"]["path"] == path
    told = 0
    for sample in run.samples:
        for hop in sample["hops"].values():
            if "ports" in hop:
                told += 1
                for state in STATES:
                    assert sum(hop["ports"].get(state, [])) == hop[state]
    assert told >= 20
