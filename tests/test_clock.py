"""The clocks go forward, agree on a duration, and wall time carries its zone."""

from __future__ import annotations

import datetime as dt

from simulator.clock import boottime_ns, monotonic_ns, wall_label


def test_boottime_runs_ahead_of_monotonic_time_by_the_time_asleep_alone() -> None:
    gaps = [boottime_ns() - monotonic_ns() for _ in range(200)]
    # Read one after the other, the gap can only look smaller than it is, never larger.
    assert max(gaps) - min(gaps) < 1_000_000_000
    assert max(gaps) > -1_000_000


def test_both_clocks_never_go_back() -> None:
    for clock in (boottime_ns, monotonic_ns):
        moments = [clock() for _ in range(1000)]
        assert moments == sorted(moments)


def test_the_label_is_in_utc() -> None:
    assert wall_label().utcoffset() == dt.timedelta(0)
