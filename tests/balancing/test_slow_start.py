"""Slow start: the share grows evenly, from a tenth to all."""

from __future__ import annotations

import pytest

from simulator.balancing.slow_start import SlowStart
from simulator.seeds import pure_random


@pytest.mark.parametrize(("at", "share"), [(0, 0.1), (500, 0.5), (900, 0.9), (1000, 1.0)])
def test_the_share_follows_the_ramp(at: int, share: float) -> None:
    ramp = SlowStart(1000, pure_random(1))
    ramp.begin(3, 0)
    stood = sum(ramp.stands(3, at) for _ in range(4_000)) / 4_000
    assert abs(stood - share) < 0.03
    assert ramp.share(3, at) == share


def test_it_forgets_who_is_warm_or_gone() -> None:
    ramp = SlowStart(1000, pure_random(1))
    ramp.begin(1, 0)
    ramp.begin(2, 0)
    ramp.end(2)
    assert ramp.stands(1, 1000)
    assert len(ramp) == 0
    assert ramp.share(9, 0) == 1.0, "one that was always there"
