"""A waiting room: first come, first served, with a limit and an end to patience."""

from __future__ import annotations

from collections import OrderedDict


class WaitingRoom:
    """Who waits, in order, and until when.

    All wait equally long at most, so those whose time is over are always the first.

    Args:
        size: most that may wait.
        patience_ns: how long each may wait.
    """

    __slots__ = ("_patience_ns", "_size", "_waiting")

    def __init__(self, size: int, patience_ns: int) -> None:
        self._size = size
        self._patience_ns = patience_ns
        self._waiting: OrderedDict[int, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, member: int) -> bool:
        return member in self._waiting

    def enter(self, member: int, now_ns: int) -> bool:
        """Join at the end; whether there was room."""
        if len(self._waiting) >= self._size:
            return False
        self._waiting[member] = now_ns + self._patience_ns
        return True

    def take_first(self) -> tuple[int, int]:
        """Whose turn it is and until when it would wait.

        Raises:
            KeyError: nobody waits.
        """
        return self._waiting.popitem(last=False)

    def put_back(self, member: int, until_ns: int) -> None:
        """It could not be served after all: it is the first again."""
        self._waiting[member] = until_ns
        self._waiting.move_to_end(member, last=False)

    def leave(self, member: int) -> None:
        """It does not wait any more, whether it did or not."""
        self._waiting.pop(member, None)

    def out_of_patience(self, now_ns: int) -> list[int]:
        """Take out those whose time is over, in order."""
        over = []
        while self._waiting:
            member = next(iter(self._waiting))
            if self._waiting[member] > now_ns:
                break
            over.append(self._waiting.popitem(last=False)[0])
        return over
