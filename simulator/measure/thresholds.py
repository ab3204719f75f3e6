"""Hold a scenario's thresholds against a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.measure.dns import dns_metric
from simulator.scenario.thresholds import (
    COUNTS,
    DNS,
    HOPS,
    LATENCIES,
    NAT,
    RECOVERY,
    RETRIES,
    parse_threshold,
)
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ERRORS: Final = "errors."
#: Prefix of a metric -> the part of a summary that holds its number.
_TABLES: Final = {"rate.": "rates_per_s", "connections.": "connections", "backends.": "backends"}


def metric_value(summary: Mapping[str, Any], metric: str) -> float | str | None:
    """The number (times in ns) or name behind a metric; None when this run did not measure it.

    Args:
        summary: as `summary.summarize` makes it.
        metric: a name that `scenario.thresholds.parse_threshold` accepts.
    """
    attempts = summary["attempts"]
    if metric == "verdict":
        return str(summary["verdict"]["code"])
    if metric == "not_sent":
        return float(sum(attempts["not_sent"].values()))
    if metric in COUNTS:
        return float(attempts[metric])
    if metric.startswith(_ERRORS):
        return float(attempts["errors"].get(metric.removeprefix(_ERRORS), 0))
    for prefix, name in _TABLES.items():
        if metric.startswith(prefix):
            return float(summary[name][metric.removeprefix(prefix)])
    if metric in DNS:
        return dns_metric(summary.get("dns"), metric)
    if metric in RECOVERY:
        return _recovery(summary["recoveries"], metric)
    return _dotted(summary, metric)


def _recovery(recoveries: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    """None where what was before a moment is not known, or where one was never got over."""
    if any(one["ok_before"] is None for one in recoveries):
        return None
    times = [one["recovery_s"] for one in recoveries]
    never = sum(time is None for time in times)
    if metric == "recovery.never":
        return float(never)
    return None if never else max((time * NS_PER_S for time in times), default=0.0)


def _dotted(summary: Mapping[str, Any], metric: str) -> float | None:
    head, _, field = metric.rpartition(".")
    table: Mapping[str, Any] = {}
    if head in LATENCIES:
        table = summary["latency_ns"][head]
    elif metric in NAT:
        table = summary.get("nat") or {}
    elif metric in RETRIES:
        table = summary.get("retries") or {}
    elif head in HOPS:
        table = next((hop for hop in summary["hops"] if hop["name"] == head), {})
    value = table.get(field)
    return None if value is None else float(value)


def evaluate(summary: Mapping[str, Any], texts: Sequence[str]) -> list[dict[str, Any]]:
    """``{text, value, holds}`` of each threshold, in the scenario's order.

    A metric that was not measured (a hop that does not exist, a percentile with too few samples)
    has the value None, and its threshold does not hold: what was not seen is not passed.
    """
    found = []
    for text in texts:
        threshold = parse_threshold(text)
        value = metric_value(summary, threshold.metric)
        holds = value is not None and bool(threshold.holds(value))
        found.append({"text": text, "value": value, "holds": holds})
    return found
