"""Proposals: each meets its goal, is the least that does, and is what Little's law asks for."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pytest

from simulator.errors import UsageError
from simulator.ports.range import PortRange
from simulator.preflight.inverse import Proposal, grown, parse_goal, proposals
from simulator.preflight.predict import predict
from tests.support.scenarios import small

if TYPE_CHECKING:
    from simulator.preflight.forecast import Forecast

NONE = "failed == 0"
PORTS, WAIT_S, RATE = 100, 0.5, 900
#: 100 ports / 500 ms = 200/s, asked for 900/s.
WALLED = (
    "backends={count: 1, ports: random, range: 20000-20999}",
    "kernel={port_range: 50000-50099, time_wait: 500ms}",
    f"traffic.0.arrivals={{constant: {RATE}/s}}",
    "traffic.0.for=2s",
)


def proposed(goal: str, *flags: str) -> dict[str, Proposal]:
    """By the kinds of their changes, joined by +; closing by what it is after."""

    def ask(sets: tuple[str, ...]) -> Forecast:
        return predict(small(*WALLED, *flags, *sets), steps=1000)

    found = proposals(small(*WALLED, *flags), ask(()), parse_goal(goal), ask)
    assert list(found) == sorted(found, key=lambda one: one.cost)
    for one in found:
        assert parse_goal(goal).holds(ask(one.sets))
    return {
        "+".join(
            change.after if change.kind in ("close", "mode") else change.kind
            for change in one.changes
        ): one
        for one in found
    }


def test_each_is_what_littles_law_asks_for() -> None:
    found = proposed(NONE)
    held = RATE * WAIT_S
    assert found["addresses"].sets == (f"balancer.source.addresses={ceil(held / PORTS)}",)
    assert found["destinations"].sets == (f"backends.count={ceil(held / PORTS)}",)
    (range_,) = found["range"].sets
    low, high = map(int, range_.partition("=")[2].split("-"))
    assert high - low + 1 == pytest.approx(held, abs=2)
    (wait,) = found["time_wait"].sets
    milliseconds = float(wait.partition("=")[2].removesuffix("ms"))
    assert milliseconds == pytest.approx(1000 * PORTS / RATE, abs=1.5)
    rate, each = found["reuse"].sets
    assert each == f"traffic.0.requests={{constant: {ceil(held / PORTS)}}}"
    assert rate == "traffic.0.arrivals.constant={from: 180.000000/s, to: 180.000000/s}"
    assert {"by backend", "by reset", "userspace"} <= set(found)


def test_a_range_that_is_not_enough_is_mixed_with_fewer_addresses() -> None:
    far = (
        "kernel={port_range: 12000-64000, time_wait: 60s}",
        "clients.source={ports: kernel, addresses: 64}",
        "balancer.close=balancer",
        "traffic.0.for=1s",
    )
    crowd = ("traffic.0.arrivals={constant: 128000/s}",)
    found = proposed(NONE, *far, *crowd)
    assert "range" not in found
    # 128,000 in all: three of 62,001 ports, but two of 64,512 less what listeners hold.
    assert found["addresses"].sets == ("balancer.source.addresses=3",)
    mix = found["range+addresses"]
    assert mix.sets == ("kernel.port_range=1024-65535", "balancer.source.addresses=2")
    assert mix.cost < found["addresses"].cost


def test_what_would_change_the_question_is_not_proposed() -> None:
    living = proposed(NONE, "traffic.0.lifetime=10ms")
    assert "by backend" not in living
    assert "reuse" not in living
    permanent = proposed(NONE, "balancer.source.ports=permanent")
    assert "destinations" not in permanent
    assert "time_wait" not in permanent
    early = proposed(NONE, "balancer.source.ports=early-bind")
    assert "time_wait" not in early  # bind() to port 0 knows no tcp_tw_reuse
    assert "late-bind" not in early  # which alone still has 200/s


def test_goals_are_read() -> None:
    share = parse_goal("failed < 0.5 %")
    assert share.bound == pytest.approx(0.005)
    assert share.holds_counts(4, 1000)
    assert not share.holds_counts(5, 1000)
    assert parse_goal("failed <= 10").holds_counts(10, 11)
    assert parse_goal(" failed==0 ").text == "failed==0"
    for wrong in ("ok > 3", "failed", "failed < x", "failed < 1 % %"):
        with pytest.raises(UsageError, match="is not known"):
            parse_goal(wrong)


def test_without_counts_there_is_no_plan() -> None:
    with pytest.raises(UsageError, match=r"clients\.retry"):
        proposed(NONE, "clients.retry={attempts: 2}")


def test_a_range_grows_evenly_upwards_and_then_downwards() -> None:
    assert grown(PortRange(50000, 50099), 201) == PortRange(50000, 50201)
    assert grown(PortRange(65000, 65535), 1000) == PortRange(64536, 65535)
    assert grown(PortRange(50000, 50099), 64_512) == PortRange(1024, 65535)
