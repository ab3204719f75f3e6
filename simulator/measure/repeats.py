"""Several runs of each variant together: medians over runs, and ratios between variants.

Reads summaries and nothing else. The run is the unit: a percentile is worked out within each run,
and runs are then compared by the median of those. A run that is not valid, not complete or was
stopped early is listed with its reason and is part of no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.measure.intervals import (
    CONFIDENCE,
    FEWEST_RUNS,
    RESAMPLES,
    Interval,
    bootstrap_median,
    bootstrap_ratio,
    most_of_none,
)
from simulator.measure.thresholds import metric_value
from simulator.seeds import generator

SCHEMA: Final = "portchurn.repeats/1"
#: What is compared, and the words for more and for less of it.
METRICS: Final[dict[str, tuple[str, str]]] = {
    "rate.ok": ("more", "less"),
    "failed": ("more", "fewer"),
    "connect.p50": ("slower", "faster"),
    "connect.p99": ("slower", "faster"),
    "response.p50": ("slower", "faster"),
    "response.p99": ("slower", "faster"),
    "connections.peak_concurrent": ("more", "fewer"),
    "balancer-backend.in_use_peak": ("more", "fewer"),
    "client-backend.in_use_peak": ("more", "fewer"),
    "sidecar-balancer.in_use_peak": ("more", "fewer"),
}
#: Doubts that leave a run valid but cut it short, so that it answers another question.
_CUT_SHORT: Final = frozenset({"interrupted", "role-lost"})
NO_DIFFERENCE: Final = "no difference shown"

Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """One run among several.

    Attributes:
        block: which round it belongs to, from 0; runs of one block are compared as a pair.
        path: its folder, for people.
        summary: a `portchurn.summary/1` object.
    """

    block: int
    path: str
    summary: Summary


def reasons_to_leave_out(summary: Summary) -> list[str]:
    """Why a run may be part of no median; empty when it may."""
    doubts = [doubt for doubt in summary.get("doubts", ()) if isinstance(doubt, Mapping)]
    found = [
        str(doubt["message"])
        for doubt in doubts
        if doubt.get("invalid") or doubt.get("code") in _CUT_SHORT
    ]
    return found or ([] if summary.get("valid") else ["the measurement is not valid"])


def repeats(runs: Sequence[Repeat], *, seed: int) -> dict[str, Any]:
    """The table of a scenario that was run several times.

    Args:
        runs: in the order they were run.
        seed: of the scenario; resamples are drawn from a stream of its own, so that the same runs
            always give the same intervals.

    Returns:
        ``variants``: per variant its ``runs`` (valid or not), and ``metrics`` {name: {``values``,
        ``median``, ``interval``}}; ``ratios``: each later variant against the first, per metric
        {``ratio``, ``interval``, ``says``}. Times are ns, rates per second. An interval is None
        with fewer than five valid runs, and then ``says`` is None too. ``not_compared``: variants
        that have no ratio, since one of the two is a closed loop and the other is not.
    """
    names = list(dict.fromkeys(str(run.summary.get("variant", "")) for run in runs))
    by_name = {
        name: [run for run in runs if run.summary.get("variant", "") == name] for name in names
    }
    loops = {name: _loop(by_name[name])["kind"] for name in names}
    return {
        "schema": SCHEMA,
        "name": runs[0].summary.get("name") if runs else None,
        "seed": seed,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "order": [str(run.summary.get("variant", "")) for run in runs],
        "variants": [_variant(name, by_name[name], seed) for name in names],
        "ratios": [
            ratio
            for name in names[1:]
            if loops[name] == loops[names[0]]
            for ratio in _ratios(names[0], name, by_name, seed)
        ],
        "not_compared": [name for name in names[1:] if loops[name] != loops[names[0]]],
    }


def _loop(runs: Sequence[Repeat]) -> dict[str, Any]:
    """Kind and users of the loop of a variant's runs; an open one where no run says it."""
    told = runs[0].summary.get("loop") if runs else None
    return dict(told) if isinstance(told, Mapping) else {"kind": "open", "users": 0}


def _usable(runs: Sequence[Repeat]) -> list[Repeat]:
    return [run for run in runs if not reasons_to_leave_out(run.summary)]


def _values(runs: Sequence[Repeat], metric: str) -> dict[int, float]:
    """Block -> value, for the runs that told one."""
    found = {run.block: metric_value(run.summary, metric) for run in runs}
    return {block: value for block, value in found.items() if isinstance(value, float)}


def _plain(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _variant(name: str, runs: Sequence[Repeat], seed: int) -> dict[str, Any]:
    usable = _usable(runs)
    metrics = {}
    for metric in METRICS:
        values = list(_values(usable, metric).values())
        if values:
            rng = generator(seed, "repeats", "median", name, metric)
            metrics[metric] = {
                "values": values,
                "median": float(np.median(values)),
                "interval": _plain(bootstrap_median(values, rng)),
            }
    return {
        "variant": name,
        "loop": _loop(runs),
        "valid": len(usable),
        "runs": [
            {
                "run": run.summary.get("run"),
                "path": run.path,
                "block": run.block,
                "seed": run.summary.get("seed"),
                "verdict": run.summary["verdict"]["code"],
                "left_out": reasons_to_leave_out(run.summary),
            }
            for run in runs
        ],
        "metrics": metrics,
        "failures": _failures(usable),
    }


def _failures(usable: Sequence[Repeat]) -> dict[str, Any]:
    """Failed connections of all valid runs together; none of many still allows a few."""
    sent = sum(int(run.summary["attempts"]["sent"]) for run in usable)
    failed = sum(int(run.summary["attempts"]["failed"]) for run in usable)
    return {
        "failed": failed,
        "sent": sent,
        "at_most": most_of_none(sent) if sent and not failed else None,
    }


def _ratios(
    first: str, name: str, by_name: Mapping[str, Sequence[Repeat]], seed: int
) -> list[dict[str, Any]]:
    found = []
    for metric in METRICS:
        over = _values(_usable(by_name[name]), metric)
        under = _values(_usable(by_name[first]), metric)
        blocks = sorted(set(over) & set(under))
        above, below = [over[one] for one in blocks], [under[one] for one in blocks]
        if not blocks or not float(np.median(below)):
            continue
        rng = generator(seed, "repeats", "ratio", first, name, metric)
        interval = bootstrap_ratio(above, below, rng)
        found.append(
            {
                "variant": name,
                "against": first,
                "metric": metric,
                "pairs": len(blocks),
                "ratio": float(np.median(above) / np.median(below)),
                "interval": _plain(interval),
                "says": _says(metric, interval),
            }
        )
    return found


def _says(metric: str, interval: Interval | None) -> str | None:
    """The word that an interval allows; None when there is none, since then none is allowed."""
    if interval is None:
        return None
    if interval.holds(1.0):
        return NO_DIFFERENCE
    more, less = METRICS[metric]
    return more if interval.low > 1 else less


def enough(valid: int) -> bool:
    """Whether so many valid runs give intervals."""
    return valid >= FEWEST_RUNS
