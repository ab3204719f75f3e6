"""The timer descriptor: never early, disarmed when told, and usable from epoll."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from simulator.clock import monotonic_ns
from simulator.kernel.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 1_000_000


@pytest.fixture
def timer() -> Iterator[Timer]:
    one = Timer()
    yield one
    one.close()


def fires_within(timer: Timer, seconds: float) -> bool:
    return bool(select.select([timer], [], [], seconds)[0])


def test_it_fires_at_its_moment_and_never_before(timer: Timer) -> None:
    for wait in (0, MS // 10, MS, 5 * MS):
        at = monotonic_ns() + wait
        timer.set(at)
        assert fires_within(timer, 5)
        assert monotonic_ns() >= at
        timer.acknowledge()
        assert not fires_within(timer, 0)


@pytest.mark.parametrize("past", [0, 1, -5, MS])
def test_a_moment_that_is_past_fires_at_once(timer: Timer, past: int) -> None:
    timer.set(past)
    assert fires_within(timer, 0)


def test_none_disarms_it(timer: Timer) -> None:
    timer.set(monotonic_ns() + MS)
    timer.set(None)
    assert not fires_within(timer, 0.01)


def test_the_same_moment_may_be_set_again_after_it_was_acknowledged(timer: Timer) -> None:
    for _ in range(3):
        timer.set(MS)
        assert fires_within(timer, 0)
        timer.acknowledge()


def test_a_later_moment_replaces_an_earlier_one(timer: Timer) -> None:
    begin = monotonic_ns()
    timer.set(begin + MS)
    timer.set(begin + 20 * MS)
    assert fires_within(timer, 5)
    assert monotonic_ns() >= begin + 20 * MS


def test_acknowledging_what_did_not_fire_is_harmless(timer: Timer) -> None:
    timer.acknowledge()
    timer.set(monotonic_ns() + 10_000 * MS)
    timer.acknowledge()
    assert not fires_within(timer, 0)


def test_it_wakes_an_epoll_and_is_not_inherited(timer: Timer) -> None:
    with select.epoll() as epoll:
        epoll.register(timer, select.EPOLLIN)
        timer.set(1)
        assert epoll.poll(1) == [(timer.fileno(), select.EPOLLIN)]
    assert not os.get_inheritable(timer.fileno())
    assert not os.get_blocking(timer.fileno())
