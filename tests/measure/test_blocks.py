"""Blocks of a run: every connection in one of them, each number the summary's own in sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.measure.blocks import FEWEST_BLOCKS, MOST_BLOCKS, block_count, cut
from simulator.measure.latency import times_ns
from simulator.measure.phases import rates_per_s
from simulator.measure.redraw import draws, ratio_of_tallies
from simulator.measure.roles import cpu_us_per_connection
from simulator.records import Call, Ending
from simulator.seeds import generator
from simulator.units import NS_PER_S
from tests.support.runs import MS, RunBuilder, scenario

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Run


def test_a_short_run_has_twenty_blocks_and_a_long_one_a_block_a_second() -> None:
    assert block_count(NS_PER_S) == FEWEST_BLOCKS
    assert block_count(60 * NS_PER_S) == 60
    assert block_count(3600 * NS_PER_S) == MOST_BLOCKS


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One second with a connection every 10 ms, of which each seventh fails."""
    made = RunBuilder(scenario=scenario()).planned([10 * MS * n for n in range(100)]).started()
    for row in range(100):
        if row % 7 == 6:
            made.failed(row, Call.RECV, Ending.EOF)
        else:
            made.ok(row, connect=(row + 1) * MS // 10, answer=(row + 1) * MS)
    for tick in range(11):
        made.tick(tick * 100 * MS, "balancer", accepted=tick * 20, user_ns=tick * 2 * MS)
    return made.run(tmp_path)


def test_blocks_add_up_to_the_summary(run: Run) -> None:
    blocks = cut(run)
    rates = rates_per_s(run)
    for name in ("asked", "sent", "ok"):
        tally = blocks.tallies[f"rate.{name}"]
        assert tally.per is not None
        assert tally.amount.sum() / tally.per.sum() == pytest.approx(rates[name])
    assert blocks.tallies["failed"].amount.sum() == 14
    assert blocks.tallies["rate.asked"].amount.tolist() == [5] * 20
    for kind, values in times_ns(run).items():
        assert blocks.spreads[kind].counts.sum() == len(values)


def test_a_block_holds_the_times_of_what_was_due_in_it(run: Run) -> None:
    connects = cut(run).spreads["connect"]
    first = np.repeat(connects.values_ns, connects.counts[0].astype(int))
    # Five connections, due at 0..40 ms, took 0.1..0.5 ms; a bucket is at most 1/1024 wide.
    assert first.tolist() == pytest.approx([100_000 * n for n in range(1, 6)], rel=1 / 1024)


def test_cpu_of_a_block_is_what_its_ticks_grew_by(run: Run) -> None:
    tally = cut(run).tallies["cpu.balancer_us_per_connection"]
    assert tally.per is not None
    assert tally.amount.sum() / tally.per.sum() == cpu_us_per_connection(run, "balancer") == 100
    assert tally.amount == pytest.approx([1000] * 20)


def test_a_warm_up_is_in_no_rate_and_no_latency_but_its_failures_count(tmp_path: Path) -> None:
    phases = [
        {"name": "warm", "for": "500ms", "warmup": True, "arrivals": {"constant": "4/s"}},
        {"name": "on", "for": "500ms", "arrivals": {"constant": "4/s"}},
    ]
    made = RunBuilder(scenario=scenario(traffic=phases)).started()
    made.planned([0, 250 * MS, 500 * MS, 750 * MS], phase=[0, 0, 1, 1])
    made.failed(0, Call.RECV, Ending.EOF).ok(1).ok(2).ok(3)
    blocks = cut(made.run(tmp_path))
    rate = blocks.tallies["rate.ok"]
    assert rate.per is not None
    assert (rate.amount.sum(), rate.per.sum()) == (2, pytest.approx(0.5))
    assert blocks.spreads["connect"].counts.sum() == 2
    assert blocks.tallies["failed"].amount.sum() == 1


def test_a_run_without_anything_has_empty_blocks(tmp_path: Path) -> None:
    blocks = cut(RunBuilder().started().run(tmp_path))
    assert blocks.spreads["response"].counts.shape == (20, 0)
    assert blocks.tallies["rate.sent"].amount.sum() == 0


def test_the_interval_of_a_rate_holds_its_ratio_also_where_lengths_differ(tmp_path: Path) -> None:
    def lasting(seconds: int, stop_s: float | None = None) -> Run:
        phases = [{"name": "on", "for": f"{seconds}s", "arrivals": {"constant": "40/s"}}]
        made = RunBuilder(scenario=scenario(traffic=phases)).started()
        made.planned([25 * MS * n for n in range(40 * seconds)])
        ends = seconds if stop_s is None else stop_s
        for row in range(int(40 * ends)):
            made.ok(row)
        if stop_s is not None:
            made.event("stopping", int(stop_s * NS_PER_S))
        return made.run(tmp_path / f"{seconds}-{stop_s}")

    base = lasting(2)
    for other in (lasting(20), lasting(20, 3.5)):
        over, under = cut(other), cut(base)
        drawn = draws(over, under, generator(1, "test"), paired=False)
        for name in ("asked", "sent", "ok"):
            ratio = rates_per_s(other)[name] / rates_per_s(base)[name]
            metric = f"rate.{name}"
            interval = ratio_of_tallies(over.tallies[metric], under.tallies[metric], drawn)
            assert interval is not None
            assert interval.low - 1e-9 <= ratio <= interval.high + 1e-9
