"""What other systems offer against a shortage of ports."""

from __future__ import annotations

import pytest

from simulator.measure.system_remedies import system_changes
from simulator.measure.walls import wall_of
from simulator.records import Hop
from tests.support.scenarios import small

DIRECT = "balancer.driver=none"


def test_linux_has_remedies_of_its_own() -> None:
    assert system_changes(small(DIRECT), Hop.CLIENT_BACKEND) == []


@pytest.mark.parametrize(
    ("system", "rates"),
    [("windows", [268.8, 546.1]), ("windows-2003", [268.8, 132.5]), ("macos", [2150.4])],
)
def test_each_moves_the_wall_as_its_numbers_say(system: str, rates: list[float]) -> None:
    scenario = small(DIRECT, f"clients.source={{addresses: 1, ports: kernel, system: {system}}}")
    walls = [
        wall_of(changed, Hop.CLIENT_BACKEND, 0.0).rate_per_s
        for _, changed in system_changes(scenario, Hop.CLIENT_BACKEND)
    ]
    assert walls == pytest.approx(rates, rel=0.001)
