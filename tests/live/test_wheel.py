"""The wheel: nothing expires early, nothing is forgotten, what has ended costs nothing."""

from __future__ import annotations

import asyncio

import pytest

from simulator.clock import monotonic_ns
from simulator.live.wheel import ENDED, Wheel
from simulator.seeds import pure_random

MS = 1_000_000


class Members:
    """Descriptors with a last activity, as a relay has them."""

    def __init__(self, timeout_ms: int) -> None:
        self.timeout_ns = timeout_ms * MS
        self.active_ns: dict[int, int] = {}
        self.expired: dict[int, int] = {}  # member -> how late, ns
        self.turns = 0
        self.wheel = Wheel(
            asyncio.get_running_loop(),
            self.timeout_ns,
            last_active=lambda member: self.active_ns.get(member, ENDED),
            expired=self.expire,
            after_turn=self.turn,
        )

    def begin(self, member: int) -> None:
        self.active_ns[member] = monotonic_ns()
        self.wheel.add(member)

    def expire(self, member: int) -> None:
        self.expired[member] = monotonic_ns() - self.active_ns.pop(member) - self.timeout_ns

    def turn(self) -> None:
        self.turns += 1

    async def until_empty(self) -> None:
        async with asyncio.timeout(20):
            while len(self.wheel):  # noqa: ASYNC110
                await asyncio.sleep(self.timeout_ns / 1e9 / 10)


@pytest.mark.parametrize("timeout_ms", [1, 30, 200])
async def test_silent_members_expire_once_and_never_early(timeout_ms: int) -> None:
    members = Members(timeout_ms)
    rng = pure_random(timeout_ms, "wheel")
    for member in range(200):
        members.begin(member)
        if rng.random() < 0.1:
            await asyncio.sleep(timeout_ms / 4000)
    await members.until_empty()
    assert set(members.expired) == set(range(200))
    assert min(members.expired.values()) >= 0
    slot_ns = max(2 * MS, timeout_ms * MS // 32)
    # Two slots, and as much again as a busy machine may take: the middle one tells.
    assert sorted(members.expired.values())[100] < 2 * slot_ns + 20 * MS


async def test_activity_puts_the_end_off() -> None:
    members = Members(40)
    members.begin(1)
    members.begin(2)
    for _ in range(8):
        await asyncio.sleep(0.01)
        members.active_ns[1] = monotonic_ns()
    assert 2 in members.expired
    assert 1 not in members.expired
    await members.until_empty()
    assert members.expired[1] >= 0


async def test_a_number_that_ended_and_began_again_has_its_whole_time() -> None:
    members = Members(40)
    members.begin(7)
    await asyncio.sleep(0.03)
    members.active_ns.pop(7)
    members.begin(7)  # its old place on the wheel comes up 10 ms from now
    await members.until_empty()
    assert members.expired[7] >= 0


async def test_what_has_ended_leaves_and_the_wheel_stands_still() -> None:
    members = Members(20)
    for member in range(50):
        members.begin(member)
    members.active_ns.clear()
    await members.until_empty()
    assert not members.expired
    turns = members.turns
    await asyncio.sleep(0.02)
    assert members.turns == turns, "it turns for nobody"
    members.begin(3)
    await members.until_empty()
    assert set(members.expired) == {3}


async def test_stopping_forgets_all() -> None:
    members = Members(5)
    members.begin(1)
    members.wheel.stop()
    await asyncio.sleep(0.03)
    assert not members.expired
    assert not len(members.wheel)
