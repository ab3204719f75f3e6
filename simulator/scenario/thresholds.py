"""Thresholds: conditions on a summary, as text in a scenario.

``connect.p99 < 5ms``, ``failed == 0``, ``rate.ok > 990/s``, ``verdict == ok``,
``balancer-backend.in_use_peak == 16384``, ``errors.balancer-backend/connect/EADDRNOTAVAIL >= 1``.
This file reads the text; `measure/summary` knows the numbers.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.units import parse_rate_per_s, parse_size_bytes, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
LATENCIES: Final = ("connect", "response", "service", "lag")
LATENCY_FIELDS: Final = ("count", "p50", "p90", "p99", "p999", "max")
COUNTS: Final = ("planned", "sent", "ok", "failed", "open_at_end", "not_sent")
RATES: Final = ("rate.asked", "rate.sent", "rate.ok")
CONNECTIONS: Final = ("connections.peak_concurrent", "connections.opened", "connections.closed")
RETRIES: Final = tuple(
    f"retries.{name}" for name in ("connections", "attempts", "retries", "recovered", "gave_up")
)
BACKENDS: Final = (
    "backends.moves",
    "backends.left",
    "backends.back",
    "backends.drained",
    "backends.cut",
    "backends.hung",
    "backends.refused_after_move",
    "backends.misdelivered",
    "backends.overlaps",
    "backends.lost_races",
    "backends.flaps",
    "backends.refused_while_down",
    "backends.stolen",
    "backends.self_connects",
)
HOPS: Final = (
    "client-balancer",
    "balancer-backend",
    "client-backend",
    "client-sidecar",
    "sidecar-balancer",
    "nat-backend",
)
HOP_FIELDS: Final = (
    "budget",
    "in_use_peak",
    "established_peak",
    "time_wait_peak",
    "half_closed_peak",
    "distinct_ports",
)
#: What a NAT did: connections that found a place, times it was asked for more ports, places used.
NAT: Final = ("nat.flows", "nat.asks", "nat.places")
#: Over all moments of churn: the longest time until connections succeeded as before, and how many
#: moments were not got over within the run.
RECOVERY: Final = ("recovery.longest", "recovery.never")
#: Of a resolver: ports and pairs of port and ID that servers saw, forged answers that were
#: believed, how many the formula expects, services whose port its pool had taken.
DNS: Final = (
    "dns.observed_ports",
    "dns.observed_pairs",
    "dns.forged",
    "dns.forged_expected",
    "dns.stolen",
)
VERDICTS: Final = (
    "ok",
    "balancer-source-ports",
    "sidecar-source-ports",
    "client-source-ports",
    "nat-ports",
    "nat-table",
    "bind-conflict",
    "backend-refused",
    "accept-queue",
    "descriptors",
    "generator",
    "backend-slow",
    "idle-timeout",
    "backend-churn",
    "retry-storm",
    "misdelivery",
    "half-closed-leak",
    "listen-port-stolen",
    "self-connect",
    "backend-flapping",
    "forged-answers",
    "port-stolen-by-pool",
    "failures",
)
_TEXT_RE: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9_./-]*)\s*(<=|>=|==|!=|<|>)\s*(.+?)\s*")
_ERRORS_RE: Final = re.compile(r"errors\.[a-z-]+/[a-z]+/[A-Z0-9_-]+")
_NUMBER_RE: Final = re.compile(r"\d{1,15}(\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Threshold:
    """One condition: a metric, a comparison, and a bound in the metric's own unit."""

    text: str
    metric: str
    comparison: str
    bound: float | str

    def holds(self, value: float | str) -> bool:
        """Whether a measured value satisfies it."""
        return OPERATORS[self.comparison](value, self.bound)


def known_metrics() -> list[str]:
    """Every metric a threshold may name, apart from ``errors.HOP/CALL/ERRNO``."""
    latencies = [f"{name}.{field}" for name in LATENCIES for field in LATENCY_FIELDS]
    hops = [f"{hop}.{field}" for hop in HOPS for field in HOP_FIELDS]
    return [
        "verdict",
        *COUNTS,
        *RATES,
        *latencies,
        *CONNECTIONS,
        *RETRIES,
        *BACKENDS,
        *NAT,
        *RECOVERY,
        *DNS,
        *hops,
    ]


def _bound(metric: str, comparison: str, text: str) -> float | str:
    if metric == "verdict":
        if text not in VERDICTS:
            raise ValueError(f"{text} is not a verdict; choose one of {', '.join(VERDICTS)}")
        if comparison not in ("==", "!="):
            raise ValueError("a verdict can only be compared with == or !=")
        return text
    timed = metric.split(".", maxsplit=1)[0] in LATENCIES and not metric.endswith(".count")
    if timed or metric == "recovery.longest":
        return float(parse_time_ns(text))
    if metric.startswith("rate."):
        return parse_rate_per_s(text)
    if _NUMBER_RE.fullmatch(text):
        return float(text)
    return float(parse_size_bytes(text))


def parts_of(text: str, example: str) -> tuple[str, str, str]:
    """Metric, comparison and bound of a condition as they are written.

    Args:
        text: the condition.
        example: one that would be right.

    Raises:
        ValueError: it is none.
    """
    match = _TEXT_RE.fullmatch(text)
    if match is None:
        raise ValueError(f"is not a condition; write for example '{example}'")
    metric, comparison, bound = match.groups()
    return metric, comparison, bound


def check_metric(metric: str, *more: str) -> None:
    """Make sure that a metric exists.

    Args:
        metric: the name.
        more: further names that are allowed here.

    Raises:
        ValueError: there is none of that name; the message says which is near.
    """
    known = [*known_metrics(), *more]
    if metric not in known and not _ERRORS_RE.fullmatch(metric):
        from difflib import get_close_matches

        near = get_close_matches(metric, known, 1) or [k for k in known if k.startswith(metric)]
        hint = f"did you mean {near[0]}?" if near else "see docs/scenario.md for the list"
        raise ValueError(f"names the unknown metric {metric}; {hint}")


def bound_of(metric: str, comparison: str, text: str) -> float | str:
    """The bound of a condition in its metric's own unit, times in ns.

    Raises:
        ValueError: it is none; the message says what would be right.
    """
    try:
        return _bound(metric, comparison, text)
    except ValueError as error:
        raise ValueError(f"has the bound {text}, which {error}") from None


def parse_threshold(text: str) -> Threshold:
    """Read one threshold.

    Raises:
        ValueError: unknown metric, comparison or bound; the message says what would be right.
    """
    metric, comparison, bound = parts_of(text, "connect.p99 < 5ms")
    check_metric(metric)
    return Threshold(text, metric, comparison, bound_of(metric, comparison, bound))
