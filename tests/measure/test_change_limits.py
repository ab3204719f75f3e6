"""Limits on a change: how they are read, and when they fail a comparison."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.measure.change_limits import breaches, parse_change_limit
from simulator.measure.comparison import Member, Side, compare
from tests.support.summaries import summary

P50 = "response.p50"


def side(name: str, values: list[int], **changes: Any) -> Side:  # noqa: ANN401 - any JSON value
    members = []
    for value in values:
        made = summary(**changes)
        made["latency_ns"]["response"]["p50"] = value
        members.append(Member(path="", summary=made))
    return Side(name=name, title=name, members=tuple(members))


def held(text: str, base: Side, later: Side) -> tuple[bool, str]:
    sides = [base, later]
    [found] = breaches([parse_change_limit(text)], sides, compare(sides, seed=1))
    return found["failed"], found["why"]


@pytest.mark.parametrize(
    ("text", "kind", "bound"),
    [
        ("connect.p99 > +10%", "share", 0.1),
        ("rate.ok < -2.5 %", "share", -0.025),
        ("connect.p99 > +5ms", "amount", 5_000_000),
        ("failed > + 5", "amount", 5),
        ("rate.ok < -10/s", "amount", -10),
        ("failed > 0", "value", 0),
        ("verdict != ok", "value", "ok"),
        ("cpu.balancer_us_per_connection > +10%", "share", 0.1),
        ("errors.balancer-backend/connect/EADDRNOTAVAIL > +0%", "share", 0),
    ],
)
def test_a_sign_makes_a_change_of_a_bound(text: str, kind: str, bound: float | str) -> None:
    found = parse_change_limit(text)
    assert (found.kind, found.text) == (kind, text)
    assert found.bound == pytest.approx(bound)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("connect.p99", "is not a condition; write for example 'connect.p99 > \\+10%'"),
        ("conect.p99 > +10%", "unknown metric conect.p99; did you mean connect.p99"),
        ("cpu.balancer > +10%", "did you mean cpu.balancer_us_per_connection"),
        ("connect.p99 > 10%", "write a sign, such as \\+10%"),
        ("connect.p99 > +10", "is not a time"),
        ("verdict > +10%", "write 'verdict != ok'"),
        ("verdict != good", "is not a verdict"),
    ],
)
def test_what_is_no_limit_is_said_to_be_none_and_what_would_be(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_change_limit(text)


def test_a_change_fails_when_it_is_beyond_its_bound() -> None:
    base, later = side("A", [100_000] * 5), side("B", [120_000] * 5)
    assert held(f"{P50} > +10%", base, later) == (True, "beyond")
    assert held(f"{P50} > +30%", base, later) == (False, "within")
    assert held(f"{P50} > +15us", base, later) == (True, "beyond")
    assert held(f"{P50} > 110us", base, later) == (True, "beyond")
    assert held(f"{P50} < -10%", base, later) == (False, "within")


def test_chance_alone_fails_nothing() -> None:
    base = side("A", [100_000, 150_000, 200_000, 90_000, 140_000])
    later = side("B", [110_000, 180_000, 190_000, 95_000, 160_000])
    assert held(f"{P50} > +10%", base, later) == (False, "beyond, but no difference shown")


def test_without_an_interval_the_number_decides_and_that_is_said() -> None:
    base, later = side("A", [100_000]), side("B", [120_000])
    assert held(f"{P50} > +10%", base, later) == (True, "beyond; no interval")


def test_what_was_not_measured_has_failed() -> None:
    base, later = side("A", [1], latency_ns={"response": {}}), side("B", [100_000])
    assert held("response.p90 > +10%", base, later) == (True, "not measured")


def test_from_none_to_some_is_beyond_every_share() -> None:
    none, some = ({"attempts": summary()["attempts"] | {"failed": count}} for count in (0, 900))
    base, later = side("A", [1], **none), side("B", [1], **some)
    assert held("failed > +1000%", base, later) == (True, "beyond")
    assert held("failed > +0%", base, side("B", [1], **none)) == (False, "within")


def test_one_run_with_the_verdict_is_enough() -> None:
    base = side("A", [1, 1])
    assert held("verdict != balancer-source-ports", base, side("B", [1, 1])) == (False, "within")
    assert held("verdict == balancer-source-ports", base, side("B", [1])) == (True, "beyond")


def test_each_limit_is_held_against_each_later_side() -> None:
    sides = [side("A", [1]), side("B", [1]), side("C", [2])]
    limits = [parse_change_limit(text) for text in (f"{P50} > +0%", "failed > +0%")]
    found = breaches(limits, sides, compare(sides, seed=1))
    assert [(one["side"], one["failed"]) for one in found] == [
        ("B", False),
        ("C", True),
        ("B", False),
        ("C", False),
    ]
    assert (found[1]["base"], found[1]["metric"]) == (1, P50)
