"""The histogram against HdrHistogram, and the laws of merging."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from simulator.buckets import MAX_NS
from simulator.measure.histogram import Histogram, summary_of

VALUES = st.lists(
    st.integers(0, MAX_NS) | st.integers(0, 5000) | st.integers(100_000, 10_000_000), max_size=60
)
SHARES = (0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0)
PRECISION = 1 / 1024


def of(values: list[int]) -> Histogram:
    return Histogram(np.array(values, dtype=np.int64))


@given(VALUES.filter(bool))
def test_quantiles_agree_with_hdrhistogram_within_both_precisions(values: list[int]) -> None:
    ours = of(values)
    oracle = HdrHistogram(1, MAX_NS, 3)
    for value in values:
        oracle.record_value(value)
    for share in SHARES[1:]:
        theirs = oracle.get_value_at_percentile(100 * share)
        rank = share * len(values)
        if abs(rank - round(rank)) > 1e-6 and rank % 1 < 0.5:
            continue  # it rounds the rank to the nearest, we take the next: another sample
        assert ours.quantiles([share])[0] == pytest.approx(theirs, rel=2 * PRECISION, abs=1)


@given(VALUES.filter(bool), st.sampled_from(SHARES))
def test_a_quantile_is_never_below_the_exact_one_and_at_most_a_bucket_above(
    values: list[int], share: float
) -> None:
    exact = int(np.quantile(np.array(values), share, method="inverted_cdf"))
    got = of(values).quantiles([share])[0]
    assert exact <= got <= exact * (1 + PRECISION)


@given(VALUES, VALUES, VALUES)
def test_merging_is_recording_together_in_any_order(
    first: list[int], second: list[int], third: list[int]
) -> None:
    a, b, c = of(first), of(second), of(third)
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + b + c == of(first + second + third)
    assert a + Histogram() == a


@given(VALUES)
def test_a_histogram_survives_json(values: list[int]) -> None:
    assert Histogram.from_dict(json.loads(json.dumps(of(values).as_dict()))) == of(values)


@given(VALUES)
def test_count_minimum_maximum_and_mean_are_exact(values: list[int]) -> None:
    made = of(values)
    assert made.count == len(values)
    assert made.max_ns == max(values, default=0)
    assert made.min_ns == min(values, default=0)
    assert made.mean_ns == (sum(values) / len(values) if values else None)


def test_a_longer_time_counts_as_the_longest() -> None:
    assert of([MAX_NS + 1]).max_ns == MAX_NS


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 ns"):
        of([-1])
    with pytest.raises(ValueError, match="empty"):
        Histogram().quantiles([0.5])
    form = of([5, 6]).as_dict()
    for change in ({"count": 3}, {"buckets": [[5, -1]]}, {"buckets": [[10**9, 2]]}):
        with pytest.raises(ValueError, match="bucket"):
            Histogram.from_dict(form | change)


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, 0), (19, 0), (20, 1), (99, 1), (100, 2), (999, 2), (1000, 3), (9_999, 3), (10_000, 4)],
)
def test_a_percentile_needs_ten_samples_beyond_it(count: int, told: int) -> None:
    table = summary_of(np.arange(count, dtype=np.int64))
    known = [table[name] is not None for name in ("p50", "p90", "p99", "p999")]
    assert known == [True] * told + [False] * (4 - told)
    assert table["count"] == count
    assert table["max"] == (count - 1 if count else None)


def test_the_percentiles_of_a_known_row_of_numbers() -> None:
    table = summary_of(np.arange(1, 1001, dtype=np.int64))  # below 2048 buckets are exact
    assert table == {"count": 1000, "p50": 500, "p90": 900, "p99": 990, "p999": None, "max": 1000}
