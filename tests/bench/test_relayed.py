"""The relayed bench: what was asked for is held as far as this machine goes, which it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.bench import relayed
from simulator.bench.relayed import BENCH, reach, refusals
from simulator.kernel.limits import read_machine
from tests.support.benches import one_round


@pytest.mark.namespace
@pytest.mark.slow
def test_what_was_asked_for_is_held_through_the_balancer() -> None:
    (values,) = one_round(BENCH, connections=1_200, rate=2_400).values()
    assert set(values) == set(BENCH.units)
    assert values["held"] == values["room"] == values["asked"] == 1_200
    assert values["errors"] == 0
    assert 0 < values["rate"] <= 2_450  # never faster than asked


def test_the_end_is_where_the_preflight_begins_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    end = 123_456
    monkeypatch.setattr(relayed, "refusals", lambda held, _rate: ("no more",) if held > end else ())
    assert end - 1_000 <= reach(1_000_000, 5_000) <= end
    assert reach(end, 5_000) == end


def test_what_is_asked_beyond_the_end_is_told_with_its_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = replace(read_machine(), files_max=6_000, files_open=0)
    monkeypatch.setattr(relayed, "read_machine", lambda: small)
    # Four file handles for each of 2,000, besides those that every process keeps.
    (why,) = refusals(2_000, 1_000)
    assert "fs.file-max leaves 6,000 - 0 = 6,000" in why
    assert BENCH.conclude({"own": [{"asked": 2_000.0, "room": 1_000.0, "paced": 1_000.0}]}) == [
        "2,000 were asked for, and this machine has room for 1,000:",
        why,
    ]
    assert BENCH.conclude({"own": [{"asked": 5.0, "room": 5.0, "paced": 5.0}]}) == []
