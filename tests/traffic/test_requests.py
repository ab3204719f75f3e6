"""Numbers of requests follow their law, and draw nothing where there is nothing to draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.scenario.requests import MAX_REQUESTS_EACH, Requests
from simulator.seeds import generator
from simulator.traffic.requests import draw_requests, keep_alive

ALPHA = 1e-3
COUNT = 20_000


def draw(given: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 - a value of a scenario
    return draw_requests(Requests.model_validate(given), COUNT, generator(5, "requests"))


def test_a_constant_number_leaves_the_generator_alone() -> None:
    stream = generator(1, "x")
    before = stream.bit_generator.state
    assert set(draw_requests(Requests(constant=3), 10, stream)) == {3}
    assert stream.bit_generator.state == before


@pytest.mark.parametrize("mean", [2.5, 10])
def test_a_geometric_number_has_its_law_and_mean(mean: float) -> None:
    drawn = draw({"geometric": mean})
    law = stats.geom(1 / mean)
    assert drawn.min() >= 1
    assert drawn.mean() == pytest.approx(mean, abs=4 * law.std() / COUNT**0.5 + 1e-12)
    top = int(law.ppf(0.99))
    observed = np.bincount(np.minimum(drawn, top), minlength=top + 1)[1:]
    wanted = np.array([*(law.pmf(k) for k in range(1, top)), law.sf(top - 1)]) * COUNT
    assert stats.chisquare(observed, wanted).pvalue > ALPHA


def test_a_geometric_mean_of_one_is_always_one() -> None:
    assert set(draw({"geometric": 1})) == {1}


def test_a_long_geometric_number_is_cut_at_the_limit() -> None:
    drawn = draw_requests(Requests(geometric=1000), 500_000, generator(2, "long"))
    assert drawn.max() <= MAX_REQUESTS_EACH


def test_a_uniform_number_takes_both_ends_and_all_between_alike() -> None:
    drawn = draw({"uniform": {"from": 2, "to": 9}})
    observed = np.bincount(drawn, minlength=10)[2:]
    assert observed.sum() == COUNT
    assert stats.chisquare(observed).pvalue > ALPHA


def test_a_client_that_stays_idle_for_ever_sends_everything() -> None:
    requests, think = np.array([2, 0, 1]), np.array([0, 10**12, 0])
    kept = keep_alive(requests, think, None)
    assert kept.requests.tolist() == [2, 0, 1]
    assert kept.is_sent.all()
    assert not kept.linger_ns.any()


@given(st.lists(st.lists(st.integers(0, 20), max_size=6), max_size=8), st.integers(1, 20))
def test_a_connection_ends_before_its_first_pause_that_is_too_long(
    pauses: list[list[int]], idle: int
) -> None:
    pauses = [[0, *one[1:]] if one else [] for one in pauses]
    kept = keep_alive(
        np.array([len(one) for one in pauses], dtype=np.int64),
        np.array([pause for one in pauses for pause in one], dtype=np.int64),
        idle,
    )
    by_hand = [next((n for n, p in enumerate(one) if p > idle), len(one)) for one in pauses]
    assert kept.requests.tolist() == by_hand
    lingers = [idle if n < len(one) else 0 for n, one in zip(by_hand, pauses, strict=True)]
    assert kept.linger_ns.tolist() == lingers
    sent = [at < n for n, one in zip(by_hand, pauses, strict=True) for at in range(len(one))]
    assert kept.is_sent.tolist() == sent
