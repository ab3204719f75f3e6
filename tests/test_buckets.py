"""Buckets are narrow, follow each other, and are those of the bit lengths that Python knows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.buckets import BUCKETS, MAX_NS, bucket_bounds, bucket_of

PRECISION = 1 / 1024


@given(st.integers(0, MAX_NS))
def test_each_value_lies_in_its_bucket_which_is_narrow(value: int) -> None:
    low, high = bucket_bounds(int(bucket_of(np.array([value]))[0]))
    assert low <= value <= high
    assert high - low <= low * PRECISION


def test_buckets_follow_each_other_without_gap_or_overlap() -> None:
    last = int(bucket_of(np.array([MAX_NS]))[0])
    for index in range(last):
        assert bucket_bounds(index)[1] + 1 == bucket_bounds(index + 1)[0]
    assert last + 1 == BUCKETS


@given(st.lists(st.integers(0, (1 << 53) - 1), min_size=1))
def test_the_first_bits_of_a_number_name_its_bucket(values: list[int]) -> None:
    shifts = [max(value.bit_length() - 11, 0) for value in values]
    wanted = [shift * 1024 + (value >> shift) for value, shift in zip(values, shifts, strict=True)]
    assert bucket_of(np.array(values)).tolist() == wanted
