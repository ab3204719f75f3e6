"""Weights by backend id."""

from __future__ import annotations

import pytest

from simulator.balancing.weights import Weights


def test_the_list_is_repeated() -> None:
    weights = Weights((5, 1))
    assert [weights[backend] for backend in range(5)] == [5, 1, 5, 1, 5]


@pytest.mark.parametrize("cycle", [(), (1, 0), (-1,)])
def test_weights_are_above_zero(cycle: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Weights(cycle)
