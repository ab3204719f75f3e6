"""Phases: what their keys mean together, and how long a paced hold takes to open."""

from __future__ import annotations

import pytest

from tests.support.scenarios import small


def test_a_paced_ramp_must_fit_into_its_phase() -> None:
    # 100 at 100/s take 1 s, and a ramp of 1 s half a second more.
    hold = "traffic=[{name: h, for: %s, hold: {connections: 100, rate: 100/s, ramp: 1s}}]"
    assert small(hold % "1500ms").traffic[0].for_ns == 1_500_000_000
    with pytest.raises(Exception, match="needs 2s to open them all at its rate"):
        small(hold % "1400ms")


def test_without_a_ramp_a_hold_takes_its_connections_by_its_rate() -> None:
    (phase,) = small("traffic=[{name: h, for: 1s, hold: {connections: 100, rate: 100/s}}]").traffic
    assert phase.hold is not None
    assert (phase.hold.opening_ns, phase.hold.peak_per_s) == (1_000_000_000, 100)
