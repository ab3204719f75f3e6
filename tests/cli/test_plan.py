"""`portchurn plan` as a user calls it, with its proof on the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import SCENARIOS, portchurn

if TYPE_CHECKING:
    from pathlib import Path

ONE = (SCENARIOS / "many-addresses.yaml", "--variant", "one", "--set", "traffic.0.for=1s")


def test_it_says_what_would_reach_the_goal_and_sets_it() -> None:
    done = portchurn("plan", *ONE, "--goal", "failed < 0.1 %", "--output", "json")
    assert done.code == 0
    told = done.json
    assert told["now"]["failed"] == pytest.approx(1500, rel=0.01)
    # 2,500/s x 500 ms = 1,250 tuples and a tenth more: three addresses of 500 ports.
    assert ["balancer.source.addresses=3"] in [one["sets"] for one in told["proposals"]]


def test_what_is_met_needs_nothing_and_what_cannot_be_met_is_exit_4() -> None:
    met = portchurn("plan", *ONE, "--goal", "failed < 90 %", "--headroom", "0")
    assert (met.code, met.out.splitlines()[-1]) == (0, "'failed < 90 %' is met as it stands.")
    never = portchurn("plan", *ONE, "--goal", "failed < 0")
    assert never.code == 4
    assert "Nothing reaches" in never.out


def test_a_goal_or_variant_that_is_not_clear_is_a_usage_error() -> None:
    file = SCENARIOS / "many-addresses.yaml"
    several = portchurn("plan", file, "--goal", "failed == 0")
    assert several.code == 2
    assert "one, two, four" in several.err
    assert portchurn("plan", *ONE, "--goal", "happy").code == 2


@pytest.mark.namespace
@pytest.mark.alone
def test_the_cheapest_is_proved_on_the_kernel(tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = portchurn("plan", *ONE, "--goal", "failed < 3 %", "--prove", "--results", results)
    assert done.code == 0, done.err
    assert "PROVED on the kernel" in done.err
    assert len(list(results.glob("*/*/summary.json"))) >= 1
