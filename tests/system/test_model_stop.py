"""The model stops when it is asked to, saves what was simulated, and says so by its exit code."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from simulator.store.read import read_summary
from tests.support.command import SCENARIOS, Running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

DAY = SCENARIOS / "nat-fleet-day.yaml"
PEAK = ("--variant", "five addresses, for the peak")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_billion_connections_may_be_too_many(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    run = Running(DAY, tmp_path / "results", *PEAK)
    try:
        run.wait_until_running()
        run.process.send_signal(number)
        assert run.finish().code == code
        summary = read_summary(run.folder)
    finally:
        run.abandon()
    assert summary is not None
    attempts = summary["attempts"]
    assert 0 < attempts["sent"] < 100_000_000
    assert attempts["planned"] == attempts["sent"] == attempts["ok"] + attempts["open_at_end"]
    assert [one["code"] for one in summary["doubts"]][:1] == ["interrupted"]
