"""Where a generator connects: always the front where there is one, else a backend by policy."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.live.settings import SourceSettings
from simulator.live.sources import source_dialer
from simulator.live.targets import Targets
from simulator.seeds import pure_random

FRONT = ("127.2.0.1", 8080)
BACKENDS = [(0, "127.4.0.1", 40_000), (1, "127.4.0.1", 40_001), (2, "127.4.0.2", 40_000)]


def targets(front: tuple[str, int] | None, policy: str = "round-robin", start: int = 0) -> Targets:
    source = SourceSettings(
        addresses=("127.1.0.1",), mode="userspace", pick="random", first=50_000, last=50_099, seed=1
    )
    return Targets(source_dialer(source, "test"), front, policy, 2, pure_random(1, "policy"), start)


def test_with_a_front_every_pick_is_the_front() -> None:
    one = targets(FRONT)
    front = one.pick()
    assert front >= 0
    one.change(BACKENDS, [])
    for fd in range(10):
        assert one.pick() == front
        assert one.picked == -1, "the balancer picks, so the row must not name a backend"
        one.opened(fd)
    for fd in range(10):
        one.closed(fd)


def test_without_a_backend_there_is_nothing_to_pick() -> None:
    one = targets(None)
    assert one.pick() == -1
    assert one.change(BACKENDS, []) == 3
    assert one.change([], [0, 1, 2]) == 0
    assert one.pick() == -1
    assert one.picked == -1


def test_each_backend_has_a_destination_of_its_own_and_round_robin_goes_round() -> None:
    one = targets(None)
    one.change(BACKENDS, [])
    destination_of = {}
    seen: Counter[int] = Counter()
    for fd in range(30):
        destination_of[one.pick()] = one.picked
        seen[one.picked] += 1
        one.opened(fd)
    assert sorted(destination_of.values()) == [0, 1, 2]
    assert seen == {0: 10, 1: 10, 2: 10}


def test_workers_that_begin_elsewhere_do_not_go_in_step() -> None:
    first = []
    for start in range(3):
        one = targets(None, start=start)
        one.change(BACKENDS, [])
        one.pick()
        first.append(one.picked)
    assert sorted(first) == [0, 1, 2]


def test_a_backend_that_left_is_not_picked_and_its_open_connections_may_still_end() -> None:
    one = targets(None)
    one.change(BACKENDS, [])
    held = {}
    for fd in range(6):
        one.pick()
        one.opened(fd)
        held[fd] = one.picked
    one.change([], [1])
    assert {(one.pick(), one.picked)[1] for _ in range(10)} == {0, 2}
    for fd in held:
        one.closed(fd)


@pytest.mark.parametrize("policy", ["least-connections", "two-choices"])
def test_load_is_what_is_open_now(policy: str) -> None:
    one = targets(None, policy)
    one.change(BACKENDS[:2], [])
    open_on: dict[int, list[int]] = {0: [], 1: []}
    for fd in range(40):
        assert one.pick() >= 0
        one.opened(fd)
        open_on[one.picked].append(fd)
    assert {len(held) for held in open_on.values()} == {20}
    for fd in open_on[1]:
        one.closed(fd)
    for fd in range(100, 110):
        one.pick()
        assert one.picked == 1, "backend 1 has ten or more fewer open than backend 0"
        one.opened(fd)


def test_a_pick_that_did_not_connect_is_not_load() -> None:
    one = targets(None, "least-connections")
    one.change(BACKENDS[:2], [])
    one.pick()
    one.opened(1)
    busy = one.picked
    for _ in range(5):
        one.pick()
        assert one.picked != busy
