"""The sampler bench: every socket is seen at each step, and each sample has its cost."""

from __future__ import annotations

import pytest

from simulator.bench.sampler import BENCH, STEPS
from tests.support.benches import one_round


@pytest.mark.namespace
@pytest.mark.slow
def test_every_socket_is_seen_and_each_sample_has_its_cost() -> None:
    (values,) = one_round(BENCH, sockets=4_000).values()
    assert set(values) == set(BENCH.units)
    assert values["sockets"] == 4_000
    assert values["errors"] == 0
    for step in STEPS:
        assert values[f"sample-{step:.0%}"] > 0
    # What the kernel takes alone is part of what the last sample took; 5 ms for the clock's noise.
    assert 0 < values["kernel"] < values["share"] + 0.005
