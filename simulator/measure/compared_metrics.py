"""Which numbers of runs are compared, and the words for more and for less of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

from simulator.measure.thresholds import metric_value
from simulator.scenario.thresholds import HOPS, LATENCIES

Summary = Mapping[str, Any]

_SLOWER: Final = ("slower", "faster")
_MORE: Final = ("more", "fewer")
_COSTLIER: Final = ("costlier", "cheaper")
_ROLES: Final = ("client", "sidecar", "balancer", "backend")
#: What a connection cost, which thresholds do not name: metric -> where a summary holds it.
COSTS: Final[dict[str, tuple[str, str]]] = {
    **{f"cpu.{role}_us_per_connection": ("cpu", f"{role}_us_per_connection") for role in _ROLES},
    "memory.balancer_bytes_per_connection": ("memory", "balancer_bytes_per_connection"),
    "memory.kernel_bytes_per_connection": ("memory", "kernel_bytes_per_connection"),
}
#: What every comparison shows, in this order, where a side has it.
_SHOWN: Final = (
    *("rate.asked", "rate.sent", "rate.ok", "failed"),
    *(f"{kind}.{share}" for kind in ("connect", "response") for share in ("p50", "p90", "p99")),
    *("connect.p999", "response.p999", "lag.p99"),
    "connections.peak_concurrent",
    *(f"{hop}.in_use_peak" for hop in HOPS),
    *(f"{hop}.distinct_ports" for hop in HOPS),
    *COSTS,
)
#: Most kinds of errors that have a row of their own.
_ERRORS: Final = 12


def words(metric: str) -> tuple[str, str]:
    """The words for more and for less of a metric."""
    if metric.startswith("rate."):
        return ("more", "less")
    if metric in COSTS:
        return _COSTLIER
    timed = metric.split(".", maxsplit=1)[0] in LATENCIES or metric == "recovery.longest"
    return _SLOWER if timed and not metric.endswith(".count") else _MORE


def value_of(summary: Summary, metric: str) -> float | str | None:
    """The number (times in ns) or name behind a metric; None when this run did not measure it.

    Summaries of another version may lack a part; what is not there was not measured.
    """
    try:
        if metric not in COSTS:
            return metric_value(summary, metric)
        part, key = COSTS[metric]
        value = summary[part][key]
        return None if value is None else float(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def compared(sides: Sequence[Sequence[Summary]]) -> list[tuple[str, list[list[float]]]]:
    """Each metric that some run tells, with the values of each side's runs.

    Args:
        sides: the summaries of each side.
    """
    everything = [summary for side in sides for summary in side]
    found = []
    for metric in (*_SHOWN, *_errors(everything)):
        values = [numbers(side, metric) for side in sides]
        if any(values):
            found.append((metric, values))
    return found


def numbers(side: Sequence[Summary], metric: str) -> list[float]:
    """What the runs of a side tell of a metric, those that tell nothing left away."""
    told = (value_of(summary, metric) for summary in side)
    return [value for value in told if isinstance(value, float) and isfinite(value)]


def _errors(summaries: Sequence[Summary]) -> list[str]:
    """The kinds of errors that some run has, the most frequent first."""
    total: dict[str, float] = {}
    for summary in summaries:
        attempts = summary.get("attempts")
        table = attempts.get("errors") if isinstance(attempts, Mapping) else None
        for metric in (f"errors.{key}" for key in (table if isinstance(table, Mapping) else ())):
            total[metric] = total.get(metric, 0) + sum(numbers([summary], metric))
    return sorted(total, key=lambda metric: (-total[metric], metric))[:_ERRORS]
