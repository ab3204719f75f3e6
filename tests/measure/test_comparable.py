"""What stands in the way of a comparison, one reason for each."""

from __future__ import annotations

import copy
from typing import Any

from simulator.measure.comparable import of_pair, same_plan
from tests.support.summaries import summary

RAMP = {"name": "ramp", "for": "8s", "arrivals": {"constant": "500/s"}}


def run(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A run of a ramp; ``traffic`` and ``retry`` go into its scenario."""
    phase = RAMP | changes.pop("phase", {})
    scenario = {"traffic": [phase], "clients": {"retry": changes.pop("retry", None)}}
    loop = {"loop": {"kind": "open", "users": 0}}
    return summary(scenario=copy.deepcopy(scenario), **loop | changes)


def codes(base: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [one.code for one in of_pair(base, "A", other, "B")]


def test_runs_of_one_load_are_comparable_whatever_else_was_changed() -> None:
    assert codes(run(), run(sysctls={}, variant="other", seed=8)) == []


def test_open_and_closed_loop_are_not() -> None:
    closed = run(loop={"kind": "closed", "users": 5})
    assert codes(run(), closed) == ["loop"]
    [told] = of_pair(run(), "A", closed, "B")
    assert told.message.startswith("A is an open loop and B a closed one: users of a closed loop")
    assert told.as_dict()["side"] == "B"


def test_kernel_and_model_are_not() -> None:
    [told] = of_pair(run(), "A", run(engine="model"), "B")
    assert told.code == "engine"
    assert "compare FILE" in told.message


def test_another_load_is_named_by_its_key() -> None:
    [told] = of_pair(run(), "A", run(phase={"for": "9s"}), "B")
    assert told.message == "A and B carry different loads: traffic.ramp.for 8s against 9s"
    [told] = of_pair(run(), "A", run(phase={"name": "crowd"}), "B")
    assert told.message == "A and B carry different loads: phases ramp against crowd"
    many = {"lifetime": 1, "requests": 2, "think": 3, "request_size": 4, "for": "1s", "warmup": 1}
    [told] = of_pair(run(), "A", run(phase=many), "B")
    assert told.message.endswith("and 2 more")


def test_one_seed_with_another_plan_is_no_equal_load_unless_retries_made_it() -> None:
    more = summary()["attempts"] | {"planned": 20_000}
    assert codes(run(), run(attempts=more)) == ["load"]
    assert codes(run(), run(attempts=more, seed=9)) == []
    assert codes(run(), run(attempts=more, retry={"attempts": 3})) == []


def test_blocks_pair_only_where_the_plan_is_the_same() -> None:
    assert same_plan([run(), run()])
    assert not same_plan([run(), run(seed=9)])
    assert not same_plan([run(), run(phase={"for": "9s"})])
