"""A coarse timing wheel: thousands of timeouts of one length for the price of a set each.

All timeouts of a wheel are equally long, so each moment belongs to one slot of a ring. A slot is
looked at once, when its time has come: what has been active meanwhile moves to a later slot, the
rest has expired. Activity therefore costs its owner one assignment and the wheel nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_SLOTS: Final = 32
_FINEST_NS: Final = 2_000_000
_COARSEST_NS: Final = NS_PER_S


class Wheel:
    """Tells when something has been silent for too long.

    It is never early, and late by two slots at most; a slot is a thirty-second part of the timeout,
    but not below 2 ms nor above 1 s.

    Args:
        loop: whose timer turns the wheel; it stands still while nothing is on it.
        timeout_ns: how long anything may be silent.
        last_active: monotonic time in ns when a member was last active.
        expired: called for each member whose time is over, after it has left the wheel.
        after_turn: called when the members of one turn are through.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout_ns: int,
        *,
        last_active: Callable[[int], int],
        expired: Callable[[int], None],
        after_turn: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._timeout_ns = timeout_ns
        self._slot_ns = min(_COARSEST_NS, max(_FINEST_NS, timeout_ns // _SLOTS))
        # One slot more than the timeout spans, and one for the part of a slot that has passed.
        size = -(-timeout_ns // self._slot_ns) + 2
        self._slots: list[set[int]] = [set() for _ in range(size)]
        self._slot_of: dict[int, set[int]] = {}
        self._last_active = last_active
        self._expired = expired
        self._after_turn = after_turn
        self._turned_to = 0  # slot number, counted from time 0, up to which all was looked at
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._slot_of)

    def add(self, member: int, now_ns: int) -> None:
        """Start a member's time."""
        # +1: a slot is looked at when its time is over, so nothing expires early.
        number = (now_ns + self._timeout_ns) // self._slot_ns
        slot = self._slots[number % len(self._slots)]
        slot.add(member)
        self._slot_of[member] = slot
        if self._timer is None:
            self._turned_to = now_ns // self._slot_ns
            self._schedule()

    def discard(self, member: int) -> None:
        """Take a member off, if it is on."""
        slot = self._slot_of.pop(member, None)
        if slot is not None:
            slot.discard(member)

    def members(self) -> list[int]:
        """All that are on the wheel now."""
        return list(self._slot_of)

    def stop(self) -> None:
        """Stop turning and forget all members."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for slot in self._slots:
            slot.clear()
        self._slot_of.clear()

    def _schedule(self) -> None:
        self._timer = self._loop.call_later(self._slot_ns / NS_PER_S, self._turn)

    def _turn(self) -> None:
        now_ns = monotonic_ns()
        until = now_ns // self._slot_ns
        # After a long pause every slot is looked at once, not once for each turn missed.
        first = max(self._turned_to, until - len(self._slots))
        self._turned_to = until
        for number in range(first, until):
            self._look_at(self._slots[number % len(self._slots)], now_ns)
        self._after_turn()
        if self._slot_of:
            self._schedule()
        else:
            self._timer = None

    def _look_at(self, slot: set[int], now_ns: int) -> None:
        for member in tuple(slot):
            if member not in slot:  # ended together with one before it
                continue
            self.discard(member)
            active_ns = self._last_active(member)
            if active_ns + self._timeout_ns <= now_ns:
                self._expired(member)
            else:
                self.add(member, active_ns)
