"""How the numbers of a metric are written: times, rates, sizes, counts, ratios, intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from simulator.report.summary_text import number
from simulator.scenario.thresholds import LATENCIES
from simulator.units import format_bytes, format_count, format_ns, format_rate

if TYPE_CHECKING:
    Form = Callable[[float], str]


def form_of(metric: str) -> Form:
    """The form of a metric's values, as thresholds and comparisons name them."""
    if metric.startswith("rate."):
        return format_rate
    if metric.endswith("_us_per_connection"):
        return lambda us: format_ns(us * 1000)
    if metric.endswith("bytes_per_connection"):
        return format_bytes
    timed = metric.split(".", maxsplit=1)[0] in LATENCIES or metric == "recovery.longest"
    return format_ns if timed and not metric.endswith(".count") else format_count


def times(ratio: float) -> str:
    """A ratio to three digits after the point."""
    return f"{ratio:.3f}"


def interval_text(ends: object, form: Form) -> str:
    """``low..high``; "" where there is no interval."""
    if not isinstance(ends, Sequence) or isinstance(ends, str) or len(ends) != 2:
        return ""
    return f"{number(ends[0], form)}..{number(ends[1], form)}"
