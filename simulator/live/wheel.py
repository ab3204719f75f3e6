"""A coarse timing wheel: thousands of timeouts of one length for the price of a list entry each.

All timeouts of a wheel are equally long, so each moment belongs to one slot of a ring. A slot is
looked at once, when its time has come: what has been active meanwhile moves to a later slot, what
has ended is dropped, the rest has expired. Neither activity nor an end has to be told to the wheel,
and a member that begins and ends between two turns never gets onto it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

#: What `last_active` returns for a member that has ended.
ENDED: Final = -1

_SLOTS: Final = 32
_FINEST_NS: Final = 2_000_000
_COARSEST_NS: Final = NS_PER_S


class Wheel:
    """Tells when something has been silent for too long.

    It is never early, and late by two slots at most; a slot is a thirty-second part of the timeout,
    but not below 2 ms nor above 1 s. Members are small numbers that may come back (descriptors): a
    number is on the wheel once, however often it ended and began again, so memory is bounded by how
    many are in use at once.

    Args:
        loop: whose timer turns the wheel; it stands still while nothing is on it.
        timeout_ns: how long anything may be silent.
        last_active: monotonic time in ns when a member was last active, or ENDED.
        expired: called for each member whose time is over, after it has left the wheel.
        after_turn: called when the members of one turn are through.
    """

    __slots__ = (
        "_after_turn",
        "_expired",
        "_last_active",
        "_loop",
        "_newcomers",
        "_on_wheel",
        "_placed",
        "_slot_ns",
        "_slots",
        "_timeout_ns",
        "_timer",
        "_turned_to",
    )

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
        self._slots: list[list[int]] = [[] for _ in range(size)]
        self._on_wheel = bytearray()  # by member, 1 if it is; a set would take 65 bytes for each
        self._placed = 0  # how many are
        self._newcomers: list[int] = []
        self._last_active = last_active
        self._expired = expired
        self._after_turn = after_turn
        self._turned_to = 0  # slots before this one, counted from time 0, were looked at
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._placed + len(self._newcomers)

    def add(self, member: int) -> None:
        """Start to watch a member."""
        self._newcomers.append(member)
        if self._timer is None:
            self._begin()

    def add_all(self, members: Iterable[int]) -> None:
        """Start to watch several."""
        self._newcomers.extend(members)
        if self._timer is None:
            self._begin()

    def stop(self) -> None:
        """Stop turning and forget all members."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for slot in self._slots:
            slot.clear()
        self._on_wheel.clear()
        self._placed = 0
        self._newcomers.clear()

    def _begin(self) -> None:
        self._turned_to = monotonic_ns() // self._slot_ns
        self._schedule()

    def _schedule(self) -> None:
        self._timer = self._loop.call_later(self._slot_ns / NS_PER_S, self._turn)

    def _turn(self) -> None:
        now_ns = monotonic_ns()
        until = now_ns // self._slot_ns
        # After a long pause every slot is looked at once, not once for each turn missed.
        first = max(self._turned_to, until - len(self._slots))
        self._turned_to = until
        newcomers, self._newcomers = self._newcomers, []
        for member in dict.fromkeys(newcomers):  # numbers of short lives come back many times
            if member >= len(self._on_wheel):
                self._on_wheel.extend(bytes(member + 1024 - len(self._on_wheel)))
            if not self._on_wheel[member]:
                self._place(member, now_ns)
        for number in range(first, until):
            position = number % len(self._slots)
            members, self._slots[position] = self._slots[position], []
            for member in members:
                self._on_wheel[member] = 0
                self._placed -= 1
                self._place(member, now_ns)
        self._after_turn()
        if self._placed or self._newcomers:
            self._schedule()
        else:
            self._timer = None

    def _place(self, member: int, now_ns: int) -> None:
        """Put a member where its time will be over; drop it when it has ended, or tell."""
        active_ns = self._last_active(member)
        if active_ns == ENDED:
            return
        deadline_ns = active_ns + self._timeout_ns
        if deadline_ns <= now_ns:
            self._expired(member)
            return
        # A slot is looked at when all of its time is over, so nothing expires early.
        self._slots[deadline_ns // self._slot_ns % len(self._slots)].append(member)
        self._on_wheel[member] = 1
        self._placed += 1
