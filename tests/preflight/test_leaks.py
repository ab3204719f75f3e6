"""Leaks before a run: the descriptors they will hold, and when the last tuple is gone."""

from __future__ import annotations

from simulator.preflight.leaks import leaked_connections
from tests.preflight.test_examine import flight, need
from tests.support.scenarios import small

RATE = "traffic.0={name: a, for: 4s, arrivals: {constant: 150/s}}"
LEAKS = "backends={ports: random, range: 20000-29999, faults: {leaks: 0.5}}"
RANGE = "kernel={port_range: 50000-50199, time_wait: 200ms}"


def test_no_more_can_leak_than_there_are_connections_or_tuples() -> None:
    asked = small(LEAKS)
    assert leaked_connections(small(), 600, 200) == 0
    assert leaked_connections(asked, 600, 1000) == 300
    assert leaked_connections(asked, 600, 200) == 200


def test_both_sides_keep_a_descriptor_for_each() -> None:
    without, leaking = flight(RATE, RANGE), flight(RATE, RANGE, LEAKS)
    assert need(leaking, "backend") == need(without, "backend") + 200
    assert need(leaking, "balancer") == need(without, "balancer") + 2 * 200


def test_it_is_said_when_the_last_tuple_will_be_gone() -> None:
    (note,) = [one for one in flight(RATE, RANGE, LEAKS).notes if "faults.leaks" in one]
    # 200 tuples at 75/s
    assert "50 %" in note
    assert "75/s keep their tuple, so 200 are gone after 2.67s" in note
    assert "unless balancer.idle_timeout 60s" in note
    direct = flight(RATE, RANGE, LEAKS, "balancer.driver=none")
    assert not any("unless" in one for one in direct.notes if "faults.leaks" in one)
    assert not any("faults.leaks" in one for one in flight(RATE, RANGE).notes)
