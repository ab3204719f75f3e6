"""The spawn bench: every backend that was asked for listens and is known."""

from __future__ import annotations

import pytest

from simulator.bench.spawn import BENCH, FEW
from tests.support.benches import one_round


@pytest.mark.namespace
@pytest.mark.slow
def test_all_backends_listen_and_are_registered() -> None:
    found = one_round(BENCH, most=2_000)
    assert found["permanent"]["most"] == 2_000
    assert found["random"]["most"] == 1_500
    for values in found.values():
        assert set(values) == set(BENCH.units)
        assert values["errors"] == 0
        assert values[f"spawn-{FEW}"] > 0
