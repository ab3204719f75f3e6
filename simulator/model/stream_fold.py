"""What is kept of a run whose connections are not: counts, times by bucket, and bins over time.

Connections are folded as they come, so that memory depends on the length of a run in samples and
not on how many connections there are. All counts are whole numbers, and none depends on how rows
were cut into parts. Bin ``k`` holds what happened after moment ``k`` and not after moment ``k + 1``
of the samples, so that sums up to a bin are what a sample sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.buckets import BUCKETS, MAX_NS, bucket_of
from simulator.traffic.stream import ROWS
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simulator.model.stream_fates import Mask
    from simulator.scenario.schema import Scenario
    from simulator.traffic.stream import Rows

    Ints = NDArray[np.int64]

#: Rows between two looks at how many connections may be open at once.
_LOOK: Final = 32


class Times:
    """Times by bucket (`simulator.buckets`), as a `measure.histogram.Histogram` writes itself."""

    def __init__(self) -> None:
        self._counts = np.zeros(BUCKETS, dtype=np.int64)
        self._count = self._total_ns = self._most_ns = 0
        self._least_ns = MAX_NS

    def add(self, values_ns: Ints, count: int) -> None:
        """Add values, or so many times the only one."""
        if not count:
            return
        values = np.minimum(values_ns, MAX_NS)
        times = count if len(values) == 1 else 1
        filled = np.bincount(bucket_of(values))
        self._counts[: len(filled)] += filled * times
        self._count += count
        self._total_ns += int(values.sum()) * times
        self._least_ns = min(self._least_ns, int(values.min()))
        self._most_ns = max(self._most_ns, int(values.max()))

    def as_dict(self) -> dict[str, Any]:
        """The form that `measure.histogram.Histogram.from_dict` reads."""
        filled = np.flatnonzero(self._counts)
        return {
            "count": self._count,
            "min_ns": self._least_ns if self._count else 0,
            "max_ns": self._most_ns,
            "total_ns": self._total_ns,
            "buckets": [[int(one), int(self._counts[one])] for one in filled],
        }


class Peak:
    """The most connections open at once, exact.

    Args:
        loop: `stream_loops.most_open` compiled, None to do without.

    Attributes:
        most: that many.
    """

    def __init__(self, loop: Callable[..., int] | None = None) -> None:
        self._loop = loop
        self.most = 0
        self._ends: Ints = np.empty(0, dtype=np.int64)

    @property
    def open(self) -> int:
        """How many are open as the last one begins."""
        return len(self._ends)

    def add(self, begins: Ints, ends: Ints, *, in_order: bool) -> None:
        """Add connections in order of their beginning, shape (n,).

        One that ends in the moment in which another begins is not beside it.

        Args:
            begins: ns.
            ends: ns.
            in_order: whether they end in the order in which they begin.
        """
        if not len(begins):
            return
        before = len(self._ends)
        follow = in_order and (not before or self._ends[-1] <= ends[0])
        ends = np.concatenate([self._ends, ends])
        if not follow:
            ends.sort()
        if self._loop is not None:
            self.most = max(self.most, self._loop(begins, ends, before))
        else:
            self._look(begins, ends, before)
        self._ends = ends[int(np.searchsorted(ends, begins[-1], side="right")) :]

    def _look(self, begins: Ints, ends: Ints, before: int) -> None:
        # A slice cannot hold more than all that began by its end, less all that ended before it.
        slices = np.arange(0, len(begins), _LOOK)
        gone = np.searchsorted(ends, begins[slices], side="right")
        full = slices[before + slices + _LOOK - gone > self.most]
        rows = (full[:, np.newaxis] + np.arange(_LOOK)).ravel()
        rows = rows[rows < len(begins)]
        now = before + 1 + rows - np.searchsorted(ends, begins[rows], side="right")
        self.most = max(self.most, int(now.max(initial=0)))


class Bins:
    """Events by bin of time and group.

    Args:
        every_ns: width of a bin.
        until_ns: what comes later is not counted.
        groups: of tuples.
    """

    def __init__(self, every_ns: int, until_ns: int, groups: int) -> None:
        self._every_ns = every_ns
        self._until_ns = until_ns
        self.counts = np.zeros((-(-until_ns // every_ns), groups), dtype=np.int64)

    def add(self, moments_ns: Ints, group: Ints, *, in_order: bool = False) -> None:
        """Add events, shapes (n,)."""
        groups = self.counts.shape[1]
        if len(moments_ns) and int(moments_ns.max()) > self._until_ns:
            inside = moments_ns <= self._until_ns
            moments_ns, group = moments_ns[inside], group[inside]
        if not len(moments_ns):
            return
        if in_order:
            first, last = (max(int(at) - 1, 0) // self._every_ns for at in moments_ns[[0, -1]])
            edges = np.arange(first + 1, last + 1) * self._every_ns
            inner = np.searchsorted(moments_ns, edges, side="right")
            counts = np.diff(np.concatenate([[0], inner, [len(moments_ns)]]))
            if groups == 1:
                self.counts[first : last + 1, 0] += counts
                return
            place = np.repeat(np.arange(len(counts)), counts)
        else:
            place = moments_ns - 1
            place //= self._every_ns
            np.maximum(place, 0, out=place)
            first, last = int(place.min()), int(place.max())
            place -= first
        if groups > 1:
            place *= groups
            place += group
        found = np.bincount(place, minlength=(last + 1 - first) * groups)
        self.counts[first : last + 1] += found.reshape(-1, groups)


class Folded:
    """Everything that is kept of a streamed run.

    Args:
        scenario: whose.
        turn: group of each row by its index modulo the length of this, shape (period,).
        last_ns: when the run ends at the latest; who is not closed by then is open.
        delays_ns: what `after_close` will be asked for.
        loop: see `Peak`.
    """

    def __init__(
        self,
        scenario: Scenario,
        turn: Ints,
        last_ns: int,
        delays_ns: tuple[int, ...] = (),
        loop: Callable[..., int] | None = None,
    ) -> None:
        phases, every = len(scenario.traffic), scenario.sampling.every
        groups = int(turn.max()) + 1
        warm = {at for at, one in enumerate(scenario.traffic) if one.warmup}
        self._measured = set(range(phases)) - warm or set(range(phases))
        self._begins = np.cumsum([0] + [one.for_ns for one in scenario.traffic]).tolist()
        self._turn = turn
        self._tiled = np.resize(turn, len(turn) + ROWS)
        self._last_ns = last_ns
        self._every_ns = every
        self.sent = np.zeros(phases, dtype=np.int64)
        self.failed = np.zeros(phases, dtype=np.int64)
        self.ok = np.zeros(phases, dtype=np.int64)
        self.late = np.zeros(phases, dtype=np.int64)  # not closed by the end
        self.response = Times()
        self.peak = Peak(loop)
        self.asked = Bins(every, last_ns, 1)
        self.not_closed = Bins(every, last_ns, 1)
        self.opened = Bins(every, last_ns, groups)
        self.closed = Bins(every, last_ns, groups)
        # A delay of whole bins needs no count of its own.
        whole = last_ns % every == 0
        self._later = {
            one: Bins(every, last_ns, groups) for one in delays_ns if one % every or not whole
        }
        self.open_ns = 0  # of all that were closed, together
        self.closed_last_ns = 0
        self.lost_first_ns: int | None = None
        self.lost_by_backend = np.zeros(scenario.backends.count, dtype=np.int64)
        self.per_second = _Busiest(self._begins)

    def after_close(self, delay_ns: int) -> Ints:
        """Connections by the bin in which so long had passed since their end, (bins, groups)."""
        if delay_ns in self._later:
            return self._later[delay_ns].counts
        moved, bins = np.zeros_like(self.closed.counts), delay_ns // self._every_ns
        moved[bins:] = self.closed.counts[: max(0, len(moved) - bins)]
        return moved

    def add(self, rows: Rows, opened_ns: Ints, taken: Mask) -> None:
        """Fold rows that were decided.

        Args:
            rows: of the plan.
            opened_ns: how long each would be open, shape (rows,) or (1,) where all are alike.
            taken: who got a tuple, shape (rows,).
        """
        due, phase, got = rows.due_ns, rows.phase, int(np.count_nonzero(taken))
        place = rows.first % len(self._turn)
        group = self._tiled[place : place + len(due)]
        self.sent[phase] += len(due)
        self.failed[phase] += len(due) - got
        self.asked.add(due, group, in_order=True)
        if phase in self._measured:
            self.per_second.add(due, phase)
        if got < len(due):
            self._lose(rows, ~taken)
            due, group = due[taken], group[taken]
            opened_ns = opened_ns if len(opened_ns) == 1 else opened_ns[taken]
        self._open(rows, taken, due, group, opened_ns)

    def _lose(self, rows: Rows, lost: Mask) -> None:
        places = np.flatnonzero(lost)
        if self.lost_first_ns is None:
            self.lost_first_ns = int(rows.due_ns[places[0]])
        backends = len(self.lost_by_backend)
        places += rows.first
        places %= backends
        self.lost_by_backend += np.bincount(places, minlength=backends)

    def _open(self, rows: Rows, taken: Mask, due: Ints, group: Ints, opened_ns: Ints) -> None:
        closed = due + opened_ns
        alike = len(opened_ns) == 1
        self.opened.add(due, group, in_order=True)
        self.closed.add(closed, group, in_order=alike)
        for delay_ns, bins in self._later.items():
            bins.add(closed + delay_ns, group, in_order=alike)
        if not alike or opened_ns[0]:  # who is gone at once is never beside another
            self.peak.add(due, closed, in_order=alike)
        times = opened_ns
        if rows.requests:
            times = rows.service_ns if len(rows.service_ns) == 1 else rows.service_ns[taken]
        most = int(closed.max(initial=0))
        self.closed_last_ns = max(self.closed_last_ns, most)
        measured = rows.phase in self._measured
        count = len(due)
        if most > self._last_ns:
            done = closed <= self._last_ns
            count = int(np.count_nonzero(done))
            self.late[rows.phase] += len(due) - count
            self.not_closed.add(due[~done], group[~done])
            opened_ns, times = (one if len(one) == 1 else one[done] for one in (opened_ns, times))
        self.ok[rows.phase] += count
        self.open_ns += int(opened_ns.sum()) * (count if alike else 1)
        if measured:
            self.response.add(times, count)


class _Busiest:
    """The most that are due in one whole second of a phase.

    Args:
        begins: of the phases, and the end of the last, ns.
    """

    def __init__(self, begins: list[int]) -> None:
        self.most = np.zeros(len(begins) - 1, dtype=np.int64)
        self._begins = begins
        self._phase = -1
        self._second = self._count = 0

    def add(self, due_ns: Ints, phase: int) -> None:
        """Add due times of a phase, in order."""
        if phase != self._phase:
            self._phase, self._second, self._count = phase, 0, 0
        whole = (self._begins[phase + 1] - self._begins[phase]) // NS_PER_S
        since = [int(at) - self._begins[phase] for at in due_ns[[0, -1]]]
        first, last = since[0] // NS_PER_S, since[1] // NS_PER_S
        edges = self._begins[phase] + np.arange(first + 1, last + 1) * NS_PER_S
        inner = np.searchsorted(due_ns, edges, side="left")
        counts = np.diff(np.concatenate([[0], inner, [len(due_ns)]]))
        if first == self._second:
            counts[0] += self._count
        self._second = first + len(counts) - 1
        self._count = int(counts[-1])
        counts = counts[: max(0, whole - first)]
        self.most[phase] = max(self.most[phase], int(counts.max(initial=0)))
