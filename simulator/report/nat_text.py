"""What a summary says of the NAT before the backends, its numbers and what it gave out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.report.safe_text import DASH, safe
from simulator.units import format_count, format_ns

_SHORTAGES = {
    "ports": "found every port taken",
    "pool": "asked for ports when all were dealt out",
    "table": "found the table full",
}


def _count(value: object) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return format_count(value) if whole and isinstance(value, int) else DASH


def _time(value: object) -> str:
    return format_ns(value) if isinstance(value, int | float) and value == value else DASH  # noqa: PLR0124 - nan


def nat_lines(summary: Mapping[str, Any]) -> list[str]:
    """The lines of a `portchurn.summary/1` object; none without a NAT."""
    nat = summary.get("nat")
    if not isinstance(nat, Mapping):
        return []
    rule = nat.get("rule")
    rule = rule if isinstance(rule, Mapping) else {}
    each = "toward each destination" if rule.get("mapping") == "destination" else "for all"
    refused = nat.get("refused")
    refused = refused if isinstance(refused, Mapping) else {}
    served = f"{_count(nat.get('served'))} of {_count(nat.get('hosts'))} hosts served"
    ports = f"{_count(nat.get('ports'))} ports a share {each}"
    fin, reset = _time(rule.get("after_fin_ns")), _time(rule.get("after_reset_ns"))
    places, asks = _count(nat.get("places")), _count(nat.get("asks"))
    lines = [
        (
            f"{safe(nat.get('preset'), 40)} ({safe(nat.get('kind'), 20)}): {served} from "
            f"{_count(rule.get('addresses'))} address(es), {ports}"
        ),
        f"a port rests {fin} after a close, {reset} after a reset",
        (
            f"{_count(nat.get('flows'))} connections found a place, {places} places were used; "
            f"hosts asked for more ports {asks} times"
        ),
    ]
    lines += [
        f"{_count(count)} connections {text}"
        for why, text in _SHORTAGES.items()
        if (count := refused.get(why))
    ]
    return lines
