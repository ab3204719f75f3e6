"""One line for each hop on how its ports were used, and one on how backends were picked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.report.safe_text import DASH, safe
from simulator.units import NS_PER_S, format_count, format_ns

Summary = Mapping[str, Any]


def _number(value: object) -> float | None:
    """A number of a stored summary, None for anything else; bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _told(value: object, form: str = ",.3f") -> str:
    found = _number(value)
    return DASH if found is None else format(found, form)


def port_use_lines(summary: Summary) -> list[str]:
    """The lines of a `portchurn.summary/1` object; none where nothing was connected."""
    hops = summary.get("hops")
    lines = []
    for hop in hops if isinstance(hops, list) else []:
        use = hop.get("port_use") if isinstance(hop, Mapping) else None
        if not isinstance(use, Mapping):
            continue
        name = f"{safe(hop.get('name'), 32):<17}"
        if _number(use.get("connections")):
            lines.append(f"{name} {_ports(use)}; {_reuse(use)}")
        elif _number(use.get("unknown")):
            seen, ports = _told(hop.get("distinct_ports"), ",.0f"), _told(use.get("ports"), ",.0f")
            lines.append(f"{name} {seen} of {ports} ports were seen; which, only the kernel knows")
    backends = summary.get("backends")
    if isinstance(backends, Mapping) and (_number(backends.get("count")) or 0) > 1:
        lines += _picks(backends)
    return lines


def _ports(use: Mapping[str, Any]) -> str:
    text = (
        f"{_told(use.get('distinct'), ',.0f')} of {_told(use.get('ports'), ',.0f')} ports, "
        f"unevenness {_told(use.get('dispersion'), '.2f')}"
    )
    outside = _number(use.get("outside"))
    return f"{text}, {format_count(outside)} connections from other ports" if outside else text


def _reuse(use: Mapping[str, Any]) -> str:
    apart, after = use.get("reuse_connections"), use.get("reuse_s")
    if not isinstance(apart, Mapping) or not isinstance(after, Mapping):
        return "no tuple came back"
    return (
        f"a tuple came back after {_of(apart, after, 'median')}, soonest {_of(apart, after, 'min')}"
    )


def _of(apart: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    seconds = _number(after.get(name))
    time = DASH if seconds is None else format_ns(seconds * NS_PER_S)
    return f"{_told(apart.get(name), ',.0f')} connections ({time})"


def _picks(backends: Mapping[str, Any]) -> list[str]:
    picks = backends.get("picks")
    values = picks.values() if isinstance(picks, Mapping) else ()
    counts = [found for one in values if (found := _number(one)) is not None]
    if not counts:
        return []
    # A backend that was never picked is not in the table.
    least = min(counts) if len(counts) >= (_number(backends.get("count")) or 0) else 0.0
    ideal = _told(backends.get("picks_ideal"), ",.1f")
    even = f"unevenness {_told(backends.get('picks_dispersion'), '.2f')}"
    jain = f"Jain {_told(backends.get('jain'))}"
    between = f"{format_count(least)} to {format_count(max(counts))}"
    return [f"{'picks':<17} {between} for each backend, ideal {ideal}, {even}, {jain}"]
