"""The hash: scatters evenly, changes half of its bits, and is one and the same for arrays."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.balancing.hashing import scatter, scatter_all


def test_it_is_the_published_generator() -> None:
    # SplitMix64 with seed 1234567: the first outputs of the reference implementation.
    step = 0x9E3779B97F4A7C15
    found = [scatter(1234567 + turn * step) for turn in range(3)]
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.lists(st.integers(0, (1 << 63) - 1), min_size=1, max_size=20), st.integers(0, 50))
def test_arrays_hash_as_numbers_do(numbers: list[int], salt: int) -> None:
    many = scatter_all(np.array(numbers, dtype=np.int64), salt)
    assert many.tolist() == [scatter(one, salt) for one in numbers]


def test_numbers_in_a_row_scatter_evenly() -> None:
    counts = Counter(scatter(number, 3) % 64 for number in range(64_000))
    assert stats.chisquare([counts[place] for place in range(64)]).pvalue > 0.001


def test_one_bit_more_or_less_changes_half_of_the_result() -> None:
    changed = [
        (scatter(number) ^ scatter(number ^ (1 << bit))).bit_count()
        for number in range(50)
        for bit in range(48)
    ]
    assert abs(sum(changed) / len(changed) - 32) < 0.5
