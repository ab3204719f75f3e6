"""The connect bench: each step of each mode has a time, and no connection fails."""

from __future__ import annotations

import pytest

from simulator.bench.connect import BENCH, KERNEL, PERCENT, USERSPACE
from tests.support.benches import one_round


@pytest.mark.namespace
@pytest.mark.slow
def test_every_step_is_timed_and_no_connect_fails() -> None:
    found = one_round(BENCH, ports=1_000, connects=40)
    assert set(found) == set(BENCH.versions())
    for values in found.values():
        assert set(values) == set(BENCH.units)
        assert values["errors"] == 0
        assert values["ports"] == 1_000
        for percent in PERCENT:
            # The whole dial holds the calls that are timed apart.
            assert 0 < values[f"connect-{percent}"] <= values[f"dial-{percent}"]
    # The kernel looks at 500 ports of the first parity, in vain; we look at none.
    assert found[KERNEL]["times-at-99"] > 0
    assert found[USERSPACE]["times-at-99"] > 0
