"""Little's law for ports, against the published ceilings and a count by hand."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.theory.little import ceiling_per_s, lasts_s, tuples_in_use

POSITIVE = st.floats(0.001, 1e6)


@pytest.mark.parametrize(
    ("ports", "wait_s", "rate"),
    [
        (28_232, 60, 470.5),  # Linux as delivered
        (64_512, 60, 1_075.2),  # Linux with the widest range
        (16_384, 240, 68.3),  # Windows, its oldest TIME_WAIT
        (16_384, 30, 546.1),  # macOS
        (55_000, 60, 916.7),  # a cloud balancer that documents 55,000 a minute
    ],
)
def test_the_ceilings_that_systems_are_known_for(ports: int, wait_s: float, rate: float) -> None:
    assert ceiling_per_s(ports, 0, wait_s) == pytest.approx(rate, rel=1e-3)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_at_the_ceiling_all_tuples_are_in_use(tuples: float, held: float, wait: float) -> None:
    rate = ceiling_per_s(tuples, held, wait)
    assert tuples_in_use(rate, held, wait) == pytest.approx(tuples)


def test_tuples_that_are_not_held_set_no_limit() -> None:
    assert ceiling_per_s(10, 0, 0) == inf
    assert lasts_s(10, 1e9, 0, 0) == inf


@given(st.integers(1, 50), st.integers(1, 100), st.integers(1, 20), st.integers(0, 20))
def test_a_rate_beyond_the_ceiling_lasts_as_long_as_counting_says(
    tuples: int, rate: int, held: int, wait: int
) -> None:
    # One connection every 1/rate; counted until one finds no tuple.
    out: float = inf
    for number in range(3 * tuples + 3 * rate * (held + wait)):
        due = number / rate
        in_use = (
            number - max(0, int((due - held - wait) * rate + 1e-9) + 1)
            if due >= held + wait
            else number
        )
        if in_use >= tuples:
            out = due
            break
    assert lasts_s(tuples, rate, held, wait) == pytest.approx(out)


@pytest.mark.parametrize("function", [ceiling_per_s, tuples_in_use])
@pytest.mark.parametrize("numbers", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_nothing_negative_makes_sense(function: object, numbers: tuple[int, int, int]) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match="negative"):
        function(*numbers)
