"""Flaps are drawn from the seed alone, and keep their times whatever these are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.traffic.flapping import first_down_ns, flapping_ids, turns
from tests.support.runs import MS, scenario

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


def flapping(seed: int = 1, **backends: Any) -> Scenario:  # noqa: ANN401 - scenario values
    given = {"count": 9, "ports": "random", "flapping": {"count": 4, "up": "30ms", "down": "20ms"}}
    return scenario(backends=given | backends, seed=seed)


def test_who_flaps_stands_after_the_refusing_and_the_hanging() -> None:
    assert list(flapping_ids(scenario())) == []
    assert list(flapping_ids(flapping())) == [0, 1, 2, 3]
    assert list(flapping_ids(flapping(refusing=2, faults={"hanging": 1}))) == [3, 4, 5, 6]


def test_the_same_seed_stops_them_at_the_same_moments() -> None:
    first, second, other = (
        [first_down_ns(one, backend) for backend in range(4)]
        for one in (flapping(), flapping(), flapping(seed=2))
    )
    assert first == second != other


def test_the_first_stop_is_uniform_over_a_period() -> None:
    drawn = [first_down_ns(flapping(seed=seed), seed % 4) for seed in range(400)]
    assert stats.kstest(drawn, stats.uniform(0, 50 * MS).cdf).pvalue > 0.01


@given(
    first=st.integers(0, 10**9),
    up=st.integers(10**7, 10**9),
    down=st.integers(10**7, 10**9),
    end=st.integers(0, 10**10),
)
def test_turns_alternate_and_last_as_long_as_they_should(
    first: int, up: int, down: int, end: int
) -> None:
    found = list(turns(first, up, down, end))
    assert all(at < end for at, _ in found)
    assert [listens for _, listens in found] == [index % 2 == 1 for index in range(len(found))]
    for index, (at, _) in enumerate(found):
        assert at == first + (index + 1) // 2 * down + index // 2 * up
