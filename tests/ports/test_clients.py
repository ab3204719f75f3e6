"""Other systems' ports in numbers, the same as the ones told to people."""

from __future__ import annotations

from typing import get_args

import pytest

from simulator.ports.clients import CLIENT_SYSTEMS, SystemName
from simulator.ports.systems import SYSTEMS

SPELT = {"windows": "Windows", "windows-2003": "Windows 2003", "macos": "macOS"}


def test_each_name_but_our_own_has_its_numbers() -> None:
    assert {*CLIENT_SYSTEMS, "linux"} == set(get_args(SystemName))


@pytest.mark.parametrize("name", CLIENT_SYSTEMS)
def test_they_are_the_numbers_that_people_are_told(name: str) -> None:
    system = CLIENT_SYSTEMS[name]
    [told] = [one for one in SYSTEMS if one.name == SPELT[name]]
    assert system.ports == told.ports
    assert f"{system.time_wait_ns // 1_000_000_000} s" in told.time_wait


@pytest.mark.parametrize(
    ("name", "per_s"), [("windows", 68.3), ("windows-2003", 16.6), ("macos", 546.1)]
)
def test_their_ceilings(name: str, per_s: float) -> None:
    system = CLIENT_SYSTEMS[name]
    rate = len(system.ports) / (system.time_wait_ns / 1e9)
    assert rate == pytest.approx(per_s, abs=0.05)
