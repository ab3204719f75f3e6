"""How much of the work each backend should get, relative to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Weights:
    """Weights by backend id; the list given is repeated for as many backends as there are.

    Args:
        cycle: weights above zero; ``(3, 1)`` gives every even backend three times as much.

    Attributes:
        cycle: as given.
    """

    __slots__ = ("_length", "cycle")

    def __init__(self, cycle: Sequence[int] = (1,)) -> None:
        if not cycle or min(cycle) < 1:
            raise ValueError(f"weights must be above zero: {list(cycle)}")
        self.cycle = tuple(cycle)
        self._length = len(cycle)

    def __getitem__(self, backend_id: int) -> int:
        return self.cycle[backend_id % self._length]
