"""What only the model can run is refused elsewhere by its key."""

from __future__ import annotations

import pytest

from simulator.errors import Refused
from simulator.kernel.limits import read_machine
from simulator.preflight.examine import examine
from simulator.preflight.model_only import model_only, refuse_model_only
from simulator.traffic.plan import make_plan
from tests.support.scenarios import small


def test_what_this_machine_can_do_is_not_refused() -> None:
    assert model_only(small()) == []
    refuse_model_only(small())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("nat.preset=ananta", "nat: ananta"),
        ("clients.source={ports: kernel, system: macos}", "clients.source.system: macos"),
        ("balancer.source.system=windows", "balancer.source.system: windows"),
    ],
)
def test_it_is_refused_by_its_key(change: str, words: str) -> None:
    scenario = small(change)
    [reason] = model_only(scenario)
    assert reason.startswith(words)
    with pytest.raises(Refused, match="use --engine model"):
        refuse_model_only(scenario)
    with pytest.raises(Refused, match="use --engine model"):
        examine(scenario, make_plan(scenario), read_machine()).refuse()


def test_more_than_an_hour_is_for_the_model() -> None:
    hours = [f"{{name: {name}, for: 1h, arrivals: {{constant: 1/s}}}}" for name in ("one", "two")]
    assert model_only(small(f"traffic=[{hours[0]}]")) == []
    [reason] = model_only(small(f"traffic=[{', '.join(hours)}]"))
    assert "lasts 7,200s, and 3,600s at most" in reason
