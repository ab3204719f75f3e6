"""Leases: the checker against brute force, candidates against statistics, and an adversary.

The adversary takes and frees ports at random while holders lease and release them. An allocator
that binds before it leases always passes the checker; one that is made to lease a port that is
already held always fails it.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from simulator.ports.lease import (
    Lease,
    kernel_candidates,
    lost_races,
    overlaps,
)
from simulator.ports.range import PortRange
from simulator.ports.selection.walks import random_candidates
from simulator.seeds import pure_random


def lease(backend: int, port: int, from_ns: int, to_ns: int | None, address: str = "a") -> Lease:
    return Lease(
        backend=backend,
        address=address,
        port=port,
        allocator="test",
        from_ns=from_ns,
        to_ns=to_ns,
    )


@st.composite
def leases(draw: st.DrawFn) -> Lease:
    begin = draw(st.integers(0, 12))
    length = draw(st.none() | st.integers(0, 6))
    return lease(
        draw(st.integers(0, 5)),
        draw(st.integers(1, 3)),
        begin,
        None if length is None else begin + length,
        draw(st.sampled_from("ab")),
    )


def held_together(one: Lease, other: Lease) -> bool:
    """The definition, with no thought for speed: one place, and moments in common."""
    if (one.address, one.port) != (other.address, other.port):
        return False
    ends = [inf if each.to_ns is None else each.to_ns for each in (one, other)]
    return one.from_ns < ends[1] and other.from_ns < ends[0]


def identities(history: list[Lease], pairs: list[tuple[Lease, Lease]]) -> set[frozenset[int]]:
    places = {id(one): at for at, one in enumerate(history)}
    return {frozenset((places[id(one)], places[id(other)])) for one, other in pairs}


@settings(max_examples=400)
@given(history=st.lists(leases(), max_size=14))
def test_the_checker_finds_what_brute_force_finds(history: list[Lease]) -> None:
    brute = identities(
        history,
        [pair for pair in itertools.combinations(history, 2) if held_together(*pair)],
    )
    found = identities(history, overlaps(history))
    assert found <= brute, "an overlap was reported that is none"
    assert bool(found) == bool(brute)
    # Each lease that began while its place was held is named: no culprit hides behind another.
    ranks = {
        at: rank
        for rank, at in enumerate(
            sorted(range(len(history)), key=lambda at: _begin_and_end(history[at]))
        )
    }
    late = {max(pair, key=lambda at: ranks[at]) for pair in brute}
    assert {at for pair in found for at in pair} >= late
    assert len(found) >= len(late)


def _begin_and_end(one: Lease) -> tuple[float, float]:
    return one.from_ns, inf if one.to_ns is None else one.to_ns


@given(history=st.lists(leases(), max_size=14), data=st.data())
def test_the_order_of_the_history_does_not_matter(
    history: list[Lease], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(history))
    assert len(overlaps(shuffled)) == len(overlaps(history))


def test_a_port_passed_on_in_the_same_moment_is_not_held_twice() -> None:
    assert overlaps([lease(0, 1, 0, 5), lease(1, 1, 5, 9), lease(2, 1, 9, None)]) == []


def test_a_lease_that_is_never_given_back_overlaps_all_later_ones() -> None:
    forever = lease(0, 1, 0, None)
    later = [lease(1, 1, 10, 20), lease(2, 1, 30, None)]
    assert overlaps([forever, *later]) == [(forever, later[0]), (forever, later[1])]


def test_a_lease_hidden_behind_a_shorter_one_is_still_found() -> None:
    long, short, late = lease(0, 1, 0, 100), lease(1, 2, 1, 2), lease(2, 1, 50, 60)
    assert overlaps([long, short, late]) == [(long, late)]


def test_a_lease_cannot_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="ends before it begins"):
        lease(0, 1, 5, 4)


def test_lost_races_are_summed() -> None:
    assert lost_races([replace(lease(0, 1, 0, 1), lost_races=n) for n in (0, 2, 3)]) == 5


# Candidates.


def test_the_kernel_is_asked_once() -> None:
    assert list(kernel_candidates()) == [0]


# The adversary.

PORTS = PortRange(50_000, 50_007)


class PortMarket(RuleBasedStateMachine):
    """Holders and an adversary on eight ports; `bound` says, as bind() would, which are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.stream = pure_random(1, "market")
        self.bound: set[int] = set()
        self.by_adversary: set[int] = set()
        self.open: dict[int, Lease] = {}
        self.history: list[Lease] = []
        self.next_backend = 0
        self.lost = 0

    @rule()
    def lease_one(self) -> None:
        """Take the first candidate that binds."""
        lost = 0
        for port in random_candidates(PORTS, self.stream):
            if port in self.bound:
                lost += 1
                continue
            self.bound.add(port)
            backend, self.next_backend = self.next_backend, self.next_backend + 1
            made = lease(backend, port, self.now, None)
            self.open[backend] = replace(made, lost_races=lost)
            self.lost += lost
            return

    @rule(steps=st.integers(0, 3))
    def wait(self, steps: int) -> None:
        self.now += steps

    @rule(port=st.integers(PORTS.first, PORTS.last))
    def adversary_takes(self, port: int) -> None:
        if port not in self.bound:
            self.bound.add(port)
            self.by_adversary.add(port)

    @precondition(lambda self: self.by_adversary)
    @rule(data=st.data())
    def adversary_leaves(self, data: st.DataObject) -> None:
        port = data.draw(st.sampled_from(sorted(self.by_adversary)))
        self.by_adversary.remove(port)
        self.bound.remove(port)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        backend = data.draw(st.sampled_from(sorted(self.open)))
        ended = replace(self.open.pop(backend), to_ns=self.now)
        self.bound.discard(ended.port)
        self.history.append(ended)

    @property
    def all_leases(self) -> list[Lease]:
        return [*self.history, *self.open.values()]

    @invariant()
    def no_port_is_held_twice(self) -> None:
        assert overlaps(self.all_leases) == []
        assert not {one.port for one in self.open.values()} & self.by_adversary

    @invariant()
    def every_lost_race_is_counted(self) -> None:
        assert lost_races(self.all_leases) == self.lost

    @precondition(lambda self: any(one.from_ns < self.now for one in self.open.values()))
    @invariant()
    def a_planted_double_lease_is_always_found(self) -> None:
        victim = next(one for one in self.open.values() if one.from_ns < self.now)
        planted = lease(self.next_backend, victim.port, self.now, None)
        assert overlaps([*self.all_leases, planted]) == [(victim, planted)]


PortMarket.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPortMarket = PortMarket.TestCase
