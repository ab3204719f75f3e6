"""The memory gauge: the drop at the fullest moment, less what the roles themselves took."""

from __future__ import annotations

from simulator.live.memory import LEAST_CONNECTIONS, MemoryGauge

MB = 1_000_000


def test_it_reports_the_drop_at_the_fullest_moment_without_the_roles_growth() -> None:
    readings = iter([900 * MB, 800 * MB, 700 * MB])
    gauge = MemoryGauge(lambda: next(readings))
    gauge.begin()
    gauge.role("client", 0, 30 * MB)
    gauge.note(5000)
    gauge.role("client", 0, 40 * MB)
    gauge.note(10_000)
    gauge.note(9_000)  # fewer than before: not read
    assert gauge.finding() == {"bytes": 190 * MB, "connections": 10_000}


def test_few_connections_say_nothing() -> None:
    gauge = MemoryGauge(lambda: 900 * MB)
    gauge.begin()
    gauge.note(LEAST_CONNECTIONS - 1)
    assert gauge.finding() is None


def test_memory_that_others_gave_back_says_nothing() -> None:
    readings = iter([900 * MB, 950 * MB])
    gauge = MemoryGauge(lambda: next(readings))
    gauge.begin()
    gauge.note(LEAST_CONNECTIONS)
    assert gauge.finding() is None
