"""What is folded is what rows would give, however they were cut into parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.measure.histogram import Histogram
from simulator.model.stream_calendar import fast_loops
from simulator.model.stream_fold import Bins, Peak, Times
from simulator.model.stretches import held_at

CUT = st.integers(0, 60)


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=60), CUT)
def test_times_are_a_histogram(values: list[int], cut: int) -> None:
    times = Times()
    for part in (values[:cut], values[cut:]):
        times.add(np.array(part, dtype=np.int64), len(part))
    assert Histogram.from_dict(times.as_dict()) == Histogram(np.array(values))


def test_many_alike_need_one_value() -> None:
    times = Times()
    times.add(np.array([5_000]), 1_000_000_000)
    found = Histogram.from_dict(times.as_dict())
    assert (found.count, found.min_ns, found.max_ns, found.mean_ns) == (10**9, 5000, 5000, 5000)


@pytest.mark.parametrize("fast", [False, True])
@given(
    rows=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=60),
    alike=st.booleans(),
    cut=CUT,
)
def test_the_peak_is_the_most_at_any_beginning(
    rows: list[tuple[int, int]], cut: int, *, alike: bool, fast: bool
) -> None:
    loops = fast_loops() if fast else None
    rows.sort()
    begins = np.array([begin for begin, _ in rows], dtype=np.int64)
    length = np.array([rows[0][1] if alike else one for _, one in rows], dtype=np.int64)
    ends = begins + length
    peak = Peak(loops.most_open if loops is not None else None)
    for part in (slice(0, cut), slice(cut, None)):
        peak.add(begins[part], ends[part], in_order=alike)
    wanted = held_at(begins, np.sort(ends), begins)
    assert peak.most == max(0, int(wanted.max(initial=0)))


@given(
    moments=st.lists(st.integers(0, 130), min_size=1, max_size=60),
    groups=st.integers(1, 3),
    in_order=st.booleans(),
    cut=CUT,
)
def test_sums_of_bins_are_what_had_happened_by_each_sample(
    moments: list[int], groups: int, cut: int, *, in_order: bool
) -> None:
    if in_order:
        moments.sort()
    times = np.array(moments, dtype=np.int64)
    group = np.arange(len(moments)) % groups
    bins = Bins(20, 90, groups)  # samples at 20, 40, 60, 80, 90
    for part in (slice(0, cut), slice(cut, None)):
        bins.add(times[part], group[part], in_order=in_order)
    by_now = np.cumsum(bins.counts, axis=0)
    for at, now in enumerate([20, 40, 60, 80, 90]):
        for one in range(groups):
            assert by_now[at, one] == np.count_nonzero((times <= now) & (group == one))
