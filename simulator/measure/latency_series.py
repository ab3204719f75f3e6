"""Latency over a run and over its percentiles, for charts.

A percentile is told only where ten samples lie beyond it, as everywhere; stretches of time are so
long that most hold enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.histogram import BEYOND, Histogram
from simulator.measure.latency import times_ns
from simulator.measure.turns import due_ns
from simulator.records import Outcome
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from simulator.engine import Run

    Ints = np.ndarray[Any, Any]

SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
_MOST_STRETCHES: Final = 120
_FEWEST_IN_A_STRETCH: Final = 100
_POINTS_A_DECADE: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySeries:
    """Response times by the moment that connections were due.

    Attributes:
        t_s: middle of each stretch of time, shape (stretches,).
        values_ns: ``p50`` ... ``p99.9`` and ``max`` -> a value for each stretch, None where too
            few connections ended well in it.
    """

    t_s: tuple[float, ...]
    values_ns: dict[str, tuple[float | None, ...]]


def latency_series(run: Run) -> LatencySeries | None:
    """Percentiles of the response time over a run; None when nothing was answered."""
    rows, due = run.connections, due_ns(run)
    end = np.where(run.plan["requests"] > 0, rows["answered_ns"], rows["closed_ns"])
    ok = (rows["outcome"] == Outcome.OK) & (rows["sent_ns"] >= 0) & (end >= 0)
    if not ok.any():
        return None
    moment, took = due[ok], np.maximum(end[ok] - due[ok], 0)
    count = int(np.clip(len(took) // _FEWEST_IN_A_STRETCH, 1, _MOST_STRETCHES))
    last = max(run.scenario.duration_ns, int(moment.max()) + 1)
    stretch = np.minimum(moment * count // last, count - 1)
    order = np.lexsort((took, stretch))
    took, sizes = took[order], np.bincount(stretch, minlength=count)
    starts = np.cumsum(sizes) - sizes
    values = {name: _quantile(took, starts, sizes, share) for name, share in SHARES.items()}
    values["max"] = tuple(
        float(took[start + size - 1]) if size else None
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
    )
    width = last / count / NS_PER_S
    told = {name: one for name, one in values.items() if any(v is not None for v in one)}
    return LatencySeries(t_s=tuple((at + 0.5) * width for at in range(count)), values_ns=told)


def _quantile(took: Ints, starts: Ints, sizes: Ints, share: float) -> tuple[float | None, ...]:
    """One percentile of each stretch of sorted values."""
    found: list[float | None] = []
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        told = size * (1 - share) >= BEYOND - 1e-9
        found.append(float(took[start + int(np.ceil(share * size - 1e-9)) - 1]) if told else None)
    return tuple(found)


def spectrum(run: Run) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Each kind of latency over its percentiles.

    Returns:
        Kind -> ``1 / (1 - share)`` from 1 on, and the value there in ns, at least 1; up to the
        last percentile with ten samples beyond it. Kinds without samples are left out.
    """
    found = {}
    for kind, values in times_ns(run).items():
        if not len(values):
            continue
        histogram = Histogram(np.maximum(values, 0).astype(np.int64))
        decades = max(0.3, np.log10(max(1.0, histogram.count / BEYOND)))
        x = np.logspace(0, decades, max(4, int(decades * _POINTS_A_DECADE)))
        took = histogram.quantiles((1 - 1 / x).tolist())
        found[kind] = (tuple(x.tolist()), tuple(float(max(1, one)) for one in took))
    return found
