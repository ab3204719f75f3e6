"""How precise the percentiles of one run are, and whether it stood still while they were taken.

Connections of one run are not independent: a busy moment is felt by many. So percentiles are
bounded by order statistics for as many independent samples as the connections are worth, which
batch means tell. And where a phase asks for the same all the time, a trend of its batch medians
says that no single percentile describes it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.histogram import BEYOND, Histogram
from simulator.measure.intervals import Interval, most_of_none, quantile_ranks, wilson
from simulator.measure.latency import times_ns
from simulator.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine import Run
    from simulator.measure.accounting import Attempts
    from simulator.scenario.phases import Phase

#: Within the 10 to 30 that batch means are made of.
BATCHES: Final = 20
#: Fewer samples in a batch say nothing about it.
_LEAST_BATCH: Final = 25
_SHARES: Final = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999))
#: A trend is only spoken of when chance gives it once in a thousand (two-sided normal) ...
_TREND_Z: Final = 3.29
#: ... and when it moves the median by so much from the first third to the last.
_TREND_SHARE: Final = 0.25

Times = np.ndarray[Any, np.dtype[np.int64]]


def _batches(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Values cut into batches in order, shape (BATCHES, n); None with too few."""
    size = len(values) // BATCHES
    if size < _LEAST_BATCH:
        return None
    cut: np.ndarray[Any, Any] = values[: size * BATCHES].reshape(BATCHES, size)
    return cut


def effective_size(values: np.ndarray[Any, Any]) -> float | None:
    """How many independent samples values in time order are worth; None with too few to tell.

    Source: batch means, Law, "Simulation Modeling and Analysis", 2015, section 9.5.3: the variance
    of a batch's mean is that of one sample over the batch's size, unless samples resemble their
    neighbours.
    """
    cut = _batches(values)
    if cut is None:
        return None
    single = float(cut.var(ddof=1))
    of_means = float(cut.mean(axis=1).var(ddof=1))
    if not single or not of_means:
        return float(len(values))
    worth = len(values) * single / (cut.shape[1] * of_means)
    return float(min(len(values), max(1.0, worth)))


def quantile_intervals(values_ns: Times, shares: Sequence[float]) -> list[Interval | None]:
    """Intervals of percentiles of times in order, ns; None where the percentile is not told either.

    Args:
        values_ns: in the order in which they happened, shape (n,).
        shares: which percentiles, each within 0..1.
    """
    histogram = Histogram(values_ns)
    return [_quantile_interval(histogram, values_ns, share) for share in shares]


def _quantile_interval(histogram: Histogram, values_ns: Times, share: float) -> Interval | None:
    if histogram.count * (1 - share) < BEYOND - 1e-9:
        return None
    [quantile] = histogram.quantiles([share])
    worth = effective_size((values_ns <= quantile).astype(np.float32))
    ranks = quantile_ranks(int(worth), share) if worth is not None else None
    if worth is None or ranks is None:
        return None
    return Interval(*histogram.quantiles([rank / int(worth) for rank in ranks]))


def mann_kendall(values: Sequence[float]) -> tuple[int, float]:
    """S and the standard normal Z of a trend; both 0 when there is none.

    Source: H. B. Mann, "Nonparametric Tests Against Trend", Econometrica 13 (1945), with the
    variance for ties of M. G. Kendall.
    """
    told = np.asarray(values, dtype=np.float64)
    size = len(told)
    signs = np.sign(told[np.newaxis, :] - told[:, np.newaxis])
    score = int(np.triu(signs, 1).sum())
    _, ties = np.unique(told, return_counts=True)
    spread = size * (size - 1) * (2 * size + 5) - int((ties * (ties - 1) * (2 * ties + 5)).sum())
    if not score or not spread:
        return score, 0.0
    return score, (score - math.copysign(1, score)) / math.sqrt(spread / 18)


def asks_for_the_same(phase: Phase) -> bool:
    """Whether a phase claims to be steady: one rate from its start to its end."""
    arrivals = phase.arrivals
    rate = (arrivals.constant or arrivals.poisson) if arrivals is not None else None
    return rate is not None and not phase.warmup and rate.from_per_s == rate.to_per_s


def trends(run: Run) -> list[tuple[str, float]]:
    """Phases that ask for the same and were served ever slower or faster: name, last over first.

    Service counts from sent: a generator that falls behind is a doubt of its own.
    """
    rows, plan = run.connections, run.plan
    end = np.where(plan["requests"] > 0, rows["answered_ns"], rows["closed_ns"])
    ok = (rows["outcome"] == Outcome.OK) & (end >= 0)
    found = []
    for index, phase in enumerate(run.scenario.traffic):
        if not asks_for_the_same(phase):
            continue
        chosen = np.flatnonzero(ok & (plan["phase"] == index))
        chosen = chosen[np.argsort(rows["sent_ns"][chosen], kind="stable")]
        cut = _batches((end - rows["sent_ns"])[chosen])
        if cut is None:
            continue
        medians = np.median(cut, axis=1)
        third = BATCHES // 3
        first, last = float(np.median(medians[:third])), float(np.median(medians[-third:]))
        _, z = mann_kendall(medians.tolist())
        if abs(z) > _TREND_Z and first > 0 and abs(last / first - 1) > _TREND_SHARE:
            found.append((phase.name, last / first))
    return found


def precision(run: Run, attempts: Attempts) -> dict[str, Any]:
    """``precision`` of a summary: how far its numbers may be off by chance within this run.

    Returns:
        ``latency_ns``: kind -> percentile -> [low, high] or None; ``failed``: ``share`` of what was
        sent, its ``interval``, and ``at_most``, which is given when none failed.
    """
    sent, failed = attempts.sent, attempts.failed
    return {
        "latency_ns": {kind: _told(values) for kind, values in times_ns(run).items()},
        "failed": {
            "share": failed / sent if sent else None,
            "interval": list(wilson(failed, sent)) if sent else None,
            "at_most": most_of_none(sent) if sent and not failed else None,
        },
    }


def _told(values: Times) -> dict[str, list[int] | None]:
    found = quantile_intervals(np.maximum(values, 0), [share for _, share in _SHARES])
    return {name: _plain(one) for (name, _), one in zip(_SHARES, found, strict=True)}


def _plain(interval: Interval | None) -> list[int] | None:
    return None if interval is None else [int(interval.low), int(interval.high)]
