"""Care that is off by default, and known to be on when anything of it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.live.care import CareSettings


def test_nothing_is_on_unless_asked_for() -> None:
    assert not CareSettings().is_needed


@pytest.mark.parametrize(
    "name",
    ["check_every_ns", "eject_after", "cap", "queues_for_ports", "slow_start_ns", "load_age_ns"],
)
def test_each_of_them_needs_the_relay_that_can_do_it(name: str) -> None:
    assert replace(CareSettings(), **{name: 1}).is_needed  # type: ignore[arg-type]
