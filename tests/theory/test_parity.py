"""The walk of connect() against a small copy of the kernel's rule, and the shipped arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.ports.range import PortRange
from simulator.ports.selection.linux import LinuxConnect
from simulator.ports.selection.selector import Asked
from simulator.scenario.load import load_file
from simulator.seeds import generator
from simulator.theory.parity import parity_walk, stride_one_walk, walk_ns
from tests.support.command import SCENARIOS


def _walks(ports: int, seed: int) -> list[int]:
    """Ports looked at by each connect that fills a range, each from a start drawn evenly."""
    stream = generator(seed, "parity")
    used: set[int] = set()
    walks = []
    for _ in range(ports):
        start = int(stream.integers(ports // 2)) * 2
        looked = 0
        for parity in (0, 1):
            free = next(
                (
                    step
                    for step in range(ports // 2)
                    if (start + 2 * step) % ports + parity not in used
                ),
                None,
            )
            if free is not None:
                looked += free + 1
                used.add((start + 2 * free) % ports + parity)
                break
            looked += ports // 2
        walks.append(looked)
    return walks


def test_it_is_the_mean_of_many_fillings() -> None:
    ports = 60
    seen = np.array([_walks(ports, seed) for seed in range(300)])
    for taken in (0, 12, 24, 30, 40, 54):
        assert seen[:, taken].mean() == pytest.approx(parity_walk(ports, taken).most, rel=0.12)
        assert seen[:, taken].min() >= parity_walk(ports, taken).least


def test_the_kernels_own_counter_walks_between_least_and_most() -> None:
    ports = PortRange(50_000, 50_511)
    walks = []
    for seed in range(20):
        select, used = LinuxConnect(ports, seed), set[int]()
        picks = []
        for _ in range(len(ports)):
            pick = select.pick(Asked("one destination"), used)
            used.add(pick.port)
            picks.append(pick.probes)
        walks.append(picks)
    mean = np.array(walks).mean(axis=0)
    for taken in (10, 50, 100, 200, 240, 300, 400, 500):
        walk = parity_walk(len(ports), taken)
        around = mean[taken - 5 : taken + 5].mean()
        assert walk.least <= around <= walk.most * 1.1 + 0.5
    assert mean[:200].max() < 8  # near a free port until the first parity is nearly full


def test_the_cliff_of_the_shipped_scenario() -> None:
    variants = load_file(SCENARIOS / "half-full-cliff.yaml").variants
    ports = len(variants[0].scenario.kernel.port_range)
    assert parity_walk(ports, ports // 2 - 1).least == 1
    # "each connect() first walks 4,096 taken ports of one parity"
    assert parity_walk(ports, ports // 2).least == 4_096 + 1
    assert walk_ns(4_096) == pytest.approx(200_000, rel=0.02)


def test_one_walk_has_no_cliff() -> None:
    before, after = stride_one_walk(8192, 4095), stride_one_walk(8192, 4097)
    assert after.most - before.most < 0.01
    assert after.least == 1
    assert stride_one_walk(10, 10).least == 10


def test_a_full_range_is_walked_whole_and_an_odd_port_is_not_seen() -> None:
    assert parity_walk(100, 100).most == 100
    assert parity_walk(101, 101).most == 100


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two ports"):
        parity_walk(1, 0)
    with pytest.raises(ValueError, match="none to all"):
        stride_one_walk(3, 4)
