"""Streams are the same on every machine, independent of each other, and known by name."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.seeds import generator, pure_random, stream_key


def test_a_stream_is_the_same_on_every_machine_and_in_every_version() -> None:
    wanted = hashlib.blake2b(b"7\x1farrivals\x1framp", digest_size=16).hexdigest()
    assert f"{stream_key(7, 'arrivals', 'ramp'):032x}" == wanted
    assert generator(7, "arrivals", "ramp").integers(1 << 32, size=3).tolist() == PINNED_NUMPY
    stream = pure_random(7, "arrivals", "ramp")
    assert [stream.randrange(1 << 32) for _ in range(3)] == PINNED_PURE


PINNED_NUMPY = [862983582, 1089261272, 1857428030]
PINNED_PURE = [2798820558, 3430152348, 2816301435]

names = st.lists(st.text(alphabet="abc-", min_size=1, max_size=4), max_size=3)


@given(seeds=st.tuples(st.integers(0, 5), st.integers(0, 5)), one=names, other=names)
def test_two_streams_are_equal_only_when_seed_and_names_are(
    seeds: tuple[int, int], one: list[str], other: list[str]
) -> None:
    same = stream_key(seeds[0], *one) == stream_key(seeds[1], *other)
    assert same == ((seeds[0], one) == (seeds[1], other))


def test_another_consumer_shifts_nobodys_numbers() -> None:
    alone = generator(3, "lifetime").random(4)
    generator(3, "arrivals").random(1000)
    assert np.array_equal(generator(3, "lifetime").random(4), alone)


def test_streams_of_neighbouring_seeds_are_uncorrelated_and_uniform() -> None:
    drawn = np.array([generator(seed, "test").random(500) for seed in range(40)])
    correlation = np.corrcoef(drawn)[np.triu_indices(40, 1)]
    # 780 pairs of 500 draws: each is normal with deviation 1/sqrt(500); 5 deviations is 1 in 2,000.
    assert abs(correlation).max() < 5 / 500**0.5
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 1e-3


def test_streams_of_one_draw_need_no_numpy() -> None:
    text = (
        "import sys, simulator.seeds as seeds; seeds.pure_random(1, 'x').random(); "
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "False"
