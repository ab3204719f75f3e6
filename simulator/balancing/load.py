"""How many connections each backend has open now: the number that policies compare.

Counting is O(1). `RankedLoad` keeps the backends grouped by their count as well, also O(1) for
each change, so that the least loaded is known without looking at all of them; only the policy that
needs it pays for it.
"""

from __future__ import annotations


class Load:
    """Open connections of each backend.

    Attributes:
        open: connections open now, by backend id; ids are small numbers.
    """

    def __init__(self) -> None:
        self.open: list[int] = []

    def insert(self, backend_id: int) -> None:
        """A backend may be picked from now on; connections it still has are kept in its count."""
        missing = backend_id + 1 - len(self.open)
        if missing > 0:
            self.open.extend([0] * missing)

    def remove(self, backend_id: int) -> None:
        """A backend is not picked any more; its connections go on."""

    def opened(self, backend_id: int) -> None:
        """A connection to this backend was begun."""
        self.open[backend_id] += 1

    def closed(self, backend_id: int) -> None:
        """A connection to this backend ended."""
        self.open[backend_id] -= 1


class RankedLoad(Load):
    """Load that knows its least loaded backends at any time.

    The backends with c connections stand in the c-th group, a list without gaps: a backend changes
    groups by taking the last place of the new one and leaving its old place to the last of the old
    one. Counts change by one, so the lowest group that is not empty is found by a step up or down.
    """

    def __init__(self) -> None:
        super().__init__()
        self._groups: list[list[int]] = [[]]
        self._place: dict[int, int] = {}  # index within the group; only backends that may be picked
        self._lowest = 0

    def insert(self, backend_id: int) -> None:
        """A backend may be picked from now on."""
        super().insert(backend_id)
        if backend_id not in self._place:
            self._enter(backend_id, self.open[backend_id])

    def remove(self, backend_id: int) -> None:
        """A backend is not picked any more."""
        if backend_id in self._place:
            self._leave(backend_id, self.open[backend_id])
            self._raise_lowest()

    def opened(self, backend_id: int) -> None:
        """A connection to this backend was begun."""
        count = self.open[backend_id]
        self.open[backend_id] = count + 1
        if backend_id in self._place:
            self._leave(backend_id, count)
            self._enter(backend_id, count + 1)
            self._raise_lowest()

    def closed(self, backend_id: int) -> None:
        """A connection to this backend ended."""
        count = self.open[backend_id]
        self.open[backend_id] = count - 1
        if backend_id in self._place:
            self._leave(backend_id, count)
            self._enter(backend_id, count - 1)

    def least(self) -> list[int]:
        """The backends with the fewest connections; empty when there is none. Do not change it."""
        return self._groups[self._lowest]

    def from_least(self) -> list[list[int]]:
        """The groups from the least loaded up; for the rare pick that must leave some out."""
        return self._groups[self._lowest :]

    def _enter(self, backend_id: int, count: int) -> None:
        groups = self._groups
        while count >= len(groups):
            groups.append([])
        self._place[backend_id] = len(groups[count])
        groups[count].append(backend_id)
        # An empty ranking points at a group that may be above the newcomer's, or below.
        if count < self._lowest or len(self._place) == 1:
            self._lowest = count

    def _leave(self, backend_id: int, count: int) -> None:
        group = self._groups[count]
        gap = self._place.pop(backend_id)
        last = group.pop()
        if last != backend_id:
            group[gap] = last
            self._place[last] = gap

    def _raise_lowest(self) -> None:
        groups = self._groups
        while not groups[self._lowest] and self._lowest < len(groups) - 1:
            self._lowest += 1
