"""One line for each kind of churn: how often, and how long it was felt."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from simulator.report.safe_text import safe
from simulator.units import NS_PER_S, format_count, format_ns

Summary = Mapping[str, Any]


def recovery_lines(summary: Summary) -> list[str]:
    """The lines of a `portchurn.summary/1` object; none without churn."""
    told = summary.get("recoveries")
    kinds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in told if isinstance(told, list) else []:
        if isinstance(one, Mapping):
            kinds.setdefault((str(one.get("event")), str(one.get("how") or "")), []).append(one)
    return [_line(event, how, found) for (event, how), found in kinds.items()]


def _line(event: str, how: str, found: list[Mapping[str, Any]]) -> str:
    name = safe(f"{event} ({how})" if how else event, 40)
    times = [float(t) for one in found if isinstance(t := one.get("recovery_s"), int | float)]
    text = f"{name:<24} {format_count(len(found))} times"
    if times:
        text += (
            f"; back to 95 % of before after {format_ns(median(times) * NS_PER_S)} in the median, "
            f"{format_ns(max(times) * NS_PER_S)} at most"
        )
    unknown = sum(one.get("ok_before") is None for one in found)
    never = len(found) - len(times) - unknown
    text += f"; {format_count(never)} never" if never else ""
    return text + (f"; {format_count(unknown)} too early to tell" if unknown else "")
