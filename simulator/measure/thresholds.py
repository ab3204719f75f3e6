"""Hold a scenario's thresholds against a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.scenario.thresholds import COUNTS, HOPS, LATENCIES, RETRIES, parse_threshold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RATE: Final = "rate."
_ERRORS: Final = "errors."
_CONNECTIONS: Final = "connections."
_BACKENDS: Final = "backends."


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
    if metric.startswith(_RATE):
        return float(summary["rates_per_s"][metric.removeprefix(_RATE)])
    if metric.startswith(_CONNECTIONS):
        return float(summary["connections"][metric.removeprefix(_CONNECTIONS)])
    if metric.startswith(_BACKENDS):
        return float(summary["backends"][metric.removeprefix(_BACKENDS)])
    return _dotted(summary, metric)


def _dotted(summary: Mapping[str, Any], metric: str) -> float | None:
    head, _, field = metric.rpartition(".")
    table: Mapping[str, Any] = {}
    if head in LATENCIES:
        table = summary["latency_ns"][head]
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
