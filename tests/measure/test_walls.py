"""Walls by arithmetic, against worked examples."""

from __future__ import annotations

import math

import pytest

from simulator.measure.walls import Wall, gain, moved, wall_of, with_part, with_source
from simulator.records import Hop
from tests.support.runs import scenario

#: Listeners outside the range, so that the kernel passes over none of its ports.
ELSEWHERE = {"ports": "random", "range": "20000-29999"}
KERNEL = {"port_range": "50000-50099", "time_wait": "500ms"}


def test_the_law_of_100_ports_and_half_a_second() -> None:
    """100 ports / 500 ms = 200/s, as seen on a real kernel."""
    made = scenario(kernel=KERNEL, backends=ELSEWHERE)
    wall = wall_of(made, Hop.BALANCER_BACKEND, open_s=0.0)
    assert wall.tuples == 100
    assert wall.blocked_s == 0.5
    assert wall.rate_per_s == pytest.approx(200, rel=1e-3)


def test_linux_as_it_comes_stands_at_470_a_second() -> None:
    made = scenario(
        kernel={"port_range": "32768-60999", "time_wait": "60s"},
        backends={"ports": "random", "range": "20000-29999"},
    )
    wall = wall_of(made, Hop.BALANCER_BACKEND, open_s=0.0)
    assert wall.rate_per_s == pytest.approx(28_232 / 60, rel=1e-4)


def test_open_time_adds_to_the_wait_and_groups_multiply() -> None:
    made = scenario(
        kernel=KERNEL,
        backends=ELSEWHERE | {"count": 3},
        balancer={"source": {"addresses": 2}},
    )
    wall = wall_of(made, Hop.BALANCER_BACKEND, open_s=1.5)
    assert wall.tuples == 100 * 2 * 3
    assert wall.rate_per_s == pytest.approx(600 / 2.0)


def test_permanent_ports_never_come_back() -> None:
    made = scenario(kernel=KERNEL, backends=ELSEWHERE, balancer={"driver": "none"})
    made = with_source(made, Hop.CLIENT_BACKEND, ports="permanent", addresses=1)
    wall = wall_of(made, Hop.CLIENT_BACKEND, open_s=0.1)
    assert math.isinf(wall.blocked_s)
    assert wall.rate_per_s == 0.0


def test_a_changed_scenario_changes_its_wall_and_not_the_given_one() -> None:
    made = scenario(kernel=KERNEL, backends=ELSEWHERE)
    more = with_source(made, Hop.BALANCER_BACKEND, addresses=4)
    before = wall_of(made, Hop.BALANCER_BACKEND, 0.0)
    after = wall_of(more, Hop.BALANCER_BACKEND, 0.0)
    assert gain(before, after, by_rate=True) == pytest.approx(4)
    assert gain(before, after, by_rate=False) == pytest.approx(4)
    assert made.balancer.source.addresses == 1
    freed = wall_of(with_part(made, "balancer", close="backend"), Hop.BALANCER_BACKEND, 0.0)
    assert freed.blocked_s == 0.0


def test_the_words_for_a_move() -> None:
    low = Wall(tuples=2000, open_s=0.0, blocked_s=0.4999)
    high = Wall(tuples=4000, open_s=0.0, blocked_s=0.4999)
    none = Wall(tuples=2000, open_s=0.0, blocked_s=0.0)
    assert moved(low, high, by_rate=True) == "ceiling 4,000/s -> 8,000/s"
    assert moved(low, high, by_rate=False) == "2,000 -> 4,000 connections at once"
    assert moved(low, none, by_rate=True) == (
        "ceiling 4,000/s -> over 100,000/s, more than a core can connect"
    )
    never = Wall(tuples=10, open_s=0.0, blocked_s=math.inf)
    assert gain(never, low, by_rate=True) == math.inf
    assert gain(never, never, by_rate=True) == 1.0
