"""How sure a number is: intervals for medians, ratios, shares and percentiles.

Nothing here assumes a normal distribution. Across runs the run is the unit, and the interval is a
bootstrap of whole runs; within a run percentiles are bounded by order statistics, and shares by
Wilson's interval.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How often an interval made so holds the true value.
CONFIDENCE: Final = 0.95
#: The same as a standard normal quantile, 0.975.
_Z: Final = 1.959963984540054
RESAMPLES: Final = 10_000
#: Fewer runs than this give no interval: the median of four runs has at best 87.5 %.
FEWEST_RUNS: Final = 5
#: Standard deviations of a binomial count beyond which nothing is left that a float can hold.
_REACH: Final = 12.0

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Interval(NamedTuple):
    """Lowest and highest plausible value, in the unit of what it is about."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in it, ends included."""
        return self.low <= value <= self.high


def _resampled(size: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Indexes of every resample, shape (RESAMPLES, size)."""
    return rng.integers(0, size, size=(RESAMPLES, size))


def middle(values: Floats) -> Interval:
    """The middle 95 % of bootstrap results, shape (resamples,)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))


def bootstrap_median(values: Sequence[float], rng: np.random.Generator) -> Interval | None:
    """Interval of the median over runs; None with fewer than five.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3
    (percentile interval), with whole runs as the unit.

    Args:
        values: one per run.
        rng: where the resamples come from; the same gives the same interval.
    """
    if len(values) < FEWEST_RUNS:
        return None
    told = np.asarray(values, dtype=np.float64)
    return middle(np.median(told[_resampled(len(told), rng)], axis=1))


def bootstrap_ratio(
    over: Sequence[float], under: Sequence[float], rng: np.random.Generator
) -> Interval | None:
    """Interval of median(over) / median(under) from pairs of runs; None with fewer than five.

    Pairs are resampled whole, so that what both runs of a pair met (a busy minute, a plan) cancels
    as it does in the measurement itself. None too when a median below may be 0.

    Args:
        over: one value per pair.
        under: the other value of each pair, of the same length.
        rng: where the resamples come from.

    Raises:
        ValueError: the lengths differ.
    """
    if len(over) != len(under):
        raise ValueError(f"{len(over)} and {len(under)} values make no pairs")
    if len(over) < FEWEST_RUNS:
        return None
    chosen = _resampled(len(over), rng)
    above = np.median(np.asarray(over, dtype=np.float64)[chosen], axis=1)
    below = np.median(np.asarray(under, dtype=np.float64)[chosen], axis=1)
    if not below.all():
        return None
    return middle(above / below)


def wilson(hits: int, tries: int) -> Interval:
    """Interval of a share.

    Source: E. B. Wilson, "Probable Inference", JASA 22 (1927).

    Args:
        hits: 0..tries.
        tries: without any, nothing is known and everything is possible.
    """
    if not tries:
        return Interval(0.0, 1.0)
    share, z2 = hits / tries, _Z * _Z
    centre = share + z2 / (2 * tries)
    reach = _Z * math.sqrt(share * (1 - share) / tries + z2 / (4 * tries * tries))
    scale = 1 + z2 / tries
    low = 0.0 if hits == 0 else (centre - reach) / scale
    high = 1.0 if hits == tries else (centre + reach) / scale
    return Interval(max(0.0, low), min(1.0, high))


def most_of_none(tries: int) -> float:
    """The highest share that "0 of ``tries``" leaves plausible at 95 %: 3/N, at most 1.

    Source: the rule of three, Hanley and Lippman-Hand, JAMA 249 (1983).
    """
    return min(1.0, 3 / tries) if tries else 1.0


def _binomial(tries: int, share: float) -> tuple[int, Floats]:
    """First count worth naming, and the distribution function from there on."""
    reach = int(_REACH * math.sqrt(tries * share * (1 - share))) + 40
    mode = int((tries + 1) * share)
    first, last = max(0, mode - reach), min(tries, mode + reach)
    counts = np.arange(first, last, dtype=np.float64)
    # Neighbours differ by a known factor, so that no factorial is ever formed.
    steps = np.log((tries - counts) / (counts + 1)) + math.log(share / (1 - share))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    mass = np.exp(logs - logs.max())
    cumulative: Floats = np.cumsum(mass) / mass.sum()
    return first, cumulative


def quantile_ranks(count: int, share: float) -> tuple[int, int] | None:
    """Ranks, from 1, of the two order statistics that hold a quantile at 95 % or more.

    No distribution is assumed: the number of samples below the quantile is binomial, whatever the
    samples are, as long as they are independent.

    Source: David and Nagaraja, "Order Statistics", 2003, section 7.1.

    Args:
        count: samples.
        share: the quantile, above 0 and below 1.

    Returns:
        None when there are too few samples for either end.
    """
    if not count:
        return None
    tail = (1 - CONFIDENCE) / 2
    first, cumulative = _binomial(count, share)
    low = first + int(np.searchsorted(cumulative, tail))
    high = first + int(np.searchsorted(cumulative, 1 - tail)) + 1
    return (low, high) if low >= 1 and high <= count else None
