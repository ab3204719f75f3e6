"""The hold bench: what was asked for is held, and its cost is told."""

from __future__ import annotations

import pytest

from simulator.bench.hold import BENCH
from tests.support.benches import one_round


@pytest.mark.namespace
@pytest.mark.slow
def test_what_was_asked_for_is_held() -> None:
    (values,) = one_round(BENCH, connections=1_500, rate=3_000, sources=2).values()
    assert set(values) == set(BENCH.units)
    assert values["held"] == 1_500
    assert values["errors"] == 0
    assert 0 < values["rate"] <= 3_050  # never faster than asked
    assert values["cpu"] > 0
