"""Half-closed connections: growth is told from bursts, and one connection is counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.measure.half_closed import FEWEST, half_closed, half_closed_counts
from simulator.records import Hop
from tests.support.runs import MS, RunBuilder, hop_sample

if TYPE_CHECKING:
    from pathlib import Path

HOP = Hop.BALANCER_BACKEND


def ends(fin: int, close: int) -> dict[str, Any]:
    """A sample with so many ends in FIN_WAIT where they connected, in CLOSE_WAIT where accepted."""
    made = hop_sample(1000)
    made["fin_wait"] = fin
    made["accept_side"] |= {"fin_wait": 0, "close_wait": close}
    return {HOP.label: made}


def series(counts: list[int]) -> RunBuilder:
    run = RunBuilder().planned([])
    for place, count in enumerate(counts):
        run.sample(place * 100 * MS, ends(count, count))
    return run


@pytest.mark.parametrize(
    ("counts", "grows"),
    [
        (list(range(0, 200, 10)), True),
        ([100] * 20, False),  # many, but no more than before
        ([0] * 10 + [200] * 2 + [0] * 8, False),  # a burst
        (list(range(0, 200, 10)) + [20] * 3, False),  # grew, and went again
        (list(range(20)), False),  # too few to be told from connections that are ending
        ([0, 100, 200], False),  # too few samples
    ],
)
def test_only_what_grows_to_the_end_grows(tmp_path: Path, counts: list[int], grows: bool) -> None:
    told = half_closed(series(counts).run(tmp_path), HOP)
    assert told.grows is grows
    assert (told.peak, told.at_end) == (max(counts), counts[-1])


def test_both_ends_are_one_connection(tmp_path: Path) -> None:
    run = (
        RunBuilder().planned([]).sample(0, ends(40, 30)).sample(MS, ends(0, 50)).sample(2 * MS, {})
    )
    assert half_closed_counts(run.run(tmp_path), HOP).tolist() == [40, 50]


def test_samples_of_older_runs_know_nothing_of_it(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).sample(0, {HOP.label: hop_sample(100, established=5)})
    assert half_closed(run.run(tmp_path), HOP).peak == 0
    assert half_closed(RunBuilder().planned([]).run(tmp_path / "b"), HOP).peak == 0


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(st.lists(st.integers(0, 500), max_size=40))
def test_what_grows_was_more_than_a_few_and_ends_near_its_peak(
    tmp_path: Path, counts: list[int]
) -> None:
    told = half_closed(series(counts).run(tmp_path), HOP)
    if told.grows:
        assert told.peak >= FEWEST
        assert told.at_end >= 0.9 * told.peak
