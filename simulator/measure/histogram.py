"""A log-linear histogram of times: fixed relative precision from 1 ns to 1 h, and exact merging.

Its buckets are those of `simulator.buckets`. Counts are one numpy array, so that merging two
histograms is adding, and recording in parts gives the same as recording at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.buckets import BUCKETS, MAX_NS, bucket_bounds, bucket_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Fewest samples that must lie beyond a percentile for it to be told.
BEYOND: Final = 10

Times = np.ndarray[Any, np.dtype[np.int64]]


class Histogram:
    """Counts of times in ns, 0 to one hour; longer ones count as one hour.

    Attributes:
        count: values recorded.
        min_ns: the least, exact; 0 when empty.
        max_ns: the greatest, exact; 0 when empty.
    """

    __slots__ = ("_counts", "_total_ns", "count", "max_ns", "min_ns")

    def __init__(self, values_ns: Times | None = None) -> None:
        self._counts = np.zeros(BUCKETS, dtype=np.int64)
        self._total_ns = 0
        self.count = 0
        self.min_ns = 0
        self.max_ns = 0
        if values_ns is not None:
            self.record(values_ns)

    def record(self, values_ns: Times) -> None:
        """Add values, shape (n,), int64 ns.

        Raises:
            ValueError: a value is negative.
        """
        values = np.minimum(np.asarray(values_ns, dtype=np.int64), MAX_NS)
        if not values.size:
            return
        least, greatest = int(values.min()), int(values.max())
        if least < 0:
            raise ValueError(f"a time of {least} ns cannot be recorded")
        self._counts += np.bincount(bucket_of(values), minlength=BUCKETS)
        self.min_ns = min(self.min_ns, least) if self.count else least
        self.max_ns = max(self.max_ns, greatest)
        self.count += values.size
        self._total_ns += int(values.sum())

    def __add__(self, other: Histogram) -> Histogram:
        both = Histogram()
        both._counts = self._counts + other._counts
        both._total_ns = self._total_ns + other._total_ns
        both.count = self.count + other.count
        filled = [part.min_ns for part in (self, other) if part.count]
        both.min_ns = min(filled, default=0)
        both.max_ns = max(self.max_ns, other.max_ns)
        return both

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]  # it changes as values are recorded

    def __repr__(self) -> str:
        return f"Histogram(count={self.count}, min_ns={self.min_ns}, max_ns={self.max_ns})"

    @property
    def mean_ns(self) -> float | None:
        """The exact mean, None when empty."""
        return self._total_ns / self.count if self.count else None

    def quantiles(self, shares: Sequence[float]) -> list[int]:
        """Values below or at which at least each share of the counts lies, in ns.

        The highest value of the bucket is given, never more than the greatest value recorded, so
        that a time is overstated by at most 1/1024 and never understated.

        Args:
            shares: each within 0..1.

        Raises:
            ValueError: the histogram is empty.
        """
        if not self.count:
            raise ValueError("an empty histogram has no quantiles")
        below = np.cumsum(self._counts)
        # 1e-9 undoes the rounding of products such as 0.999 * 1000.
        ranks = [max(1, math.ceil(share * self.count - 1e-9)) for share in shares]
        indexes = np.searchsorted(below, ranks)
        return [min(bucket_bounds(int(index))[1], self.max_ns) for index in indexes]

    def quantile_if_told(self, share: float) -> int | None:
        """One quantile, or None when fewer than ten samples lie beyond it."""
        if self.count * (1.0 - share) < BEYOND - 1e-9:
            return None
        return self.quantiles([share])[0]

    def as_dict(self) -> dict[str, Any]:
        """A compact JSON form: pairs of bucket index and count, for the filled ones."""
        filled = np.flatnonzero(self._counts)
        return {
            "count": self.count,
            "min_ns": self.min_ns,
            "max_ns": self.max_ns,
            "total_ns": self._total_ns,
            "buckets": [[int(index), int(self._counts[index])] for index in filled],
        }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Histogram:
        """The histogram that `as_dict` wrote.

        Raises:
            ValueError: the form does not hold together.
        """
        made = cls()
        for index, count in form["buckets"]:
            if not 0 <= index < BUCKETS or count <= 0:
                raise ValueError(f"bucket {index} cannot hold {count}")
            made._counts[index] += count
        made.count, made._total_ns = int(form["count"]), int(form["total_ns"])
        made.min_ns, made.max_ns = int(form["min_ns"]), int(form["max_ns"])
        if made.count != int(made._counts.sum()):
            raise ValueError(f"count is {made.count}, but the buckets hold {made._counts.sum()}")
        return made


def summary_of(values_ns: Times) -> dict[str, int | None]:
    """``count, p50, p90, p99, p999, max`` in ns of values of shape (n,), as summaries hold them.

    A percentile with fewer than ten samples beyond it is None; the maximum is always told.
    """
    return told(Histogram(values_ns))


def told(histogram: Histogram) -> dict[str, int | None]:
    """The same of a histogram."""
    quantiles: dict[str, int | None] = {
        name: histogram.quantile_if_told(share)
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999))
    }
    return {
        "count": histogram.count,
        **quantiles,
        "max": histogram.max_ns if histogram.count else None,
    }
