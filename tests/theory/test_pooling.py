"""Reuse and idle time-outs against Little's law and a Poisson process played out."""

from __future__ import annotations

from math import exp, inf
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.seeds import generator
from simulator.theory.little import tuples_in_use
from simulator.theory.pooling import (
    connections_per_s,
    found_closed,
    mean_open_s,
    mean_requests,
    requests_ceiling_per_s,
    reuse_for,
    survives,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_reuse_divides_connections_and_multiplies_the_ceiling() -> None:
    assert connections_per_s(1000, 100) == 10
    # Without reuse 1,000/s x (50 ms + 60 s) = 60,050 ports; with 100 each, 10/s x 65 s = 650.
    assert tuples_in_use(connections_per_s(1000, 1), 0.05, 60) == pytest.approx(60_050)
    assert tuples_in_use(connections_per_s(1000, 100), 5, 60) == pytest.approx(650)
    assert requests_ceiling_per_s(650, 100, 5, 60) == pytest.approx(1000)


def test_the_reuse_it_asks_for_is_just_enough() -> None:
    each = reuse_for(1000, 28_232, 0.05, 60)
    in_use = tuples_in_use(connections_per_s(1000, each), each * 0.05, 60)
    assert in_use == pytest.approx(28_232)
    assert reuse_for(10, 28_232, 0.05, 60) == 1
    assert reuse_for(1000, 40, 0.05, 60) == inf  # 50 are busy at once
    assert reuse_for(0, 0, 1, 1) == 1


def test_idle_timeouts_against_a_process_played_out() -> None:
    rate, timeout = 4.0, 0.5
    gaps = generator(3, "pool").exponential(1 / rate, 200_000)
    cut = gaps > timeout
    assert cut.mean() == pytest.approx(found_closed(rate, timeout), rel=0.02)
    # Stretches between two cuts are connections: their requests, and their time to the close.
    ends = np.flatnonzero(cut)
    counts = np.diff(ends, prepend=-1)
    assert counts.mean() == pytest.approx(mean_requests(rate, timeout), rel=0.02)
    open_s = (gaps[: ends[-1] + 1].sum() - gaps[ends].sum()) / len(ends) + timeout
    assert open_s == pytest.approx(mean_open_s(rate, timeout), rel=0.02)
    five = gaps[: len(gaps) // 4 * 4].reshape(-1, 4)
    assert (five <= timeout).all(axis=1).mean() == pytest.approx(
        survives(rate, timeout, 5), rel=0.02
    )


def test_the_edges() -> None:
    assert found_closed(0, 1) == 1.0
    assert mean_open_s(0, 2.0) == 2.0
    assert mean_open_s(1e6, 1.0) == inf
    assert mean_requests(1e6, 1.0) == inf
    assert survives(1, 3, 2) == pytest.approx(1 - exp(-3))


@pytest.mark.parametrize(
    ("form", "arguments"),
    [
        (connections_per_s, (-1, 1)),
        (requests_ceiling_per_s, (1, 0, 1, 1)),
        (reuse_for, (-1, 1, 1, 1)),
        (found_closed, (-1, 1)),
        (survives, (1, 1, 0)),
        (mean_open_s, (1, -1)),
    ],
)
def test_what_makes_no_sense_is_refused(
    form: Callable[..., float], arguments: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match=r"negative|at least one"):
        form(*arguments)
