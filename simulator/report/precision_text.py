"""How precise the numbers of one run are, in one line for latency and one for failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.units import format_count, format_ns

Summary = Mapping[str, Any]
_TOLD = (("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p999", "p99.9"))


def precision_lines(summary: Summary) -> list[str]:
    """The lines of a `portchurn.summary/1` object; none where nothing can be said."""
    return [*_latency(summary), *_failed(summary)]


def _inner(found: object, *path: str) -> Mapping[str, Any]:
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _ends(value: object) -> tuple[float, float] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return None
    low, high = value
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    return float(low), float(high)


def _latency(summary: Summary) -> list[str]:
    told = _inner(summary, "precision", "latency_ns", "response")
    parts = [
        f"{title} {format_ns(ends[0])}..{format_ns(ends[1])}"
        for name, title in _TOLD
        if (ends := _ends(told.get(name))) is not None
    ]
    return [f"response  {', '.join(parts)}"] if parts else []


def _failed(summary: Summary) -> list[str]:
    told = _inner(summary, "precision", "failed")
    ends, most = _ends(told.get("interval")), told.get("at_most")
    sent = _inner(summary, "attempts").get("sent")
    if isinstance(most, int | float) and isinstance(sent, int):
        return [f"failed    0 of {format_count(sent)}, so at most {100 * most:.2g} %"]
    if ends is None:
        return []
    return [f"failed    {100 * ends[0]:.3g} % to {100 * ends[1]:.3g} %"]
