"""Lines about what the balancer did for its backends; only about what it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.units import format_count


def care_lines(summary: Mapping[str, Any]) -> list[str]:
    """The lines of a `portchurn.summary/1` object; none where the balancer only relayed."""
    told = summary.get("care")
    care = told if isinstance(told, Mapping) else {}

    def count(name: str) -> int:
        value = care.get(name)
        return value if isinstance(value, int) else 0

    lines = []
    if count("checks") or count("checks_without_port"):
        line = f"health checks      {format_count(count('checks'))} connects, a tuple each"
        line += _also(count("checks_failed"), "found no backend")
        line += _also(count("checks_without_port"), "found no port")
        lines.append(line)
    if count("ejections") or count("out_peak") or count("panics"):
        line = f"left out           at most {format_count(count('out_peak'))} backends at once"
        line += _also(count("ejections"), "ejections")
        line += _also(count("panics"), "times too few were fit, and all were picked")
        lines.append(line)
    if count("queued") or count("queue_full"):
        line = f"waited in a queue  {format_count(count('queued'))}"
        line += f", at most {format_count(count('waiting_peak'))} at once"
        line += _also(count("queue_timeouts"), "in vain")
        line += _also(count("queue_full"), "found it full")
        lines.append(line)
    if count("retries_denied"):
        lines.append(f"retries denied     {format_count(count('retries_denied'))} by the budget")
    return lines


def _also(number: int, what: str) -> str:
    return f"; {format_count(number)} {what}" if number else ""
