"""The scale bench: each step of each axis is measured, and laws are those of the steps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.bench.scale import BENCH, LADDERS, conclude, measure
from simulator.errors import UsageError
from tests.support.benches import one_round


@pytest.mark.namespace
@pytest.mark.slow
def test_each_step_has_its_numbers_and_nothing_fails() -> None:
    # One step of a direct axis and one through the balancer.
    bench = replace(BENCH, versions=lambda: {"sources": "1", "backends": "1"})
    for values in one_round(bench, sources=1, backends=1, held=500, rate=2_000).values():
        assert values["work-1"] == 1
        assert "work-2" not in values
        assert values["errors"] == 0
        for name in ("rate", "cpu", "connect-p50", "connect-p99"):
            assert values[f"{name}-1"] > 0, name
        assert set(values) <= set(BENCH.units)


def test_there_is_no_other_axis() -> None:
    with pytest.raises(UsageError, match="backends"):
        measure("colours", BENCH.defaults())


def test_ladders_rise() -> None:
    for ladder in LADDERS.values():
        assert list(ladder) == sorted(set(ladder))


def test_laws_come_from_medians_over_the_rounds() -> None:
    rounds = [
        {f"work-{step}": 10.0**step for step in (1, 2, 3)}
        | {f"cpu-{step}": 7.0 + noise for step in (1, 2, 3)}
        | {f"sample-{step}": 10.0**step * factor for step in (1, 2, 3)}
        for noise, factor in ((0.0, 1.0), (0.1, 1.1), (5.0, 9.0))
    ]
    said = conclude({"connections": rounds})
    assert any("CPU for each connection stays constant" in one for one in said)
    assert any("socket table grows linearly with connections" in one for one in said)
    assert len(said) == 2  # what was not measured is not concluded
