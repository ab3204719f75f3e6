"""The three lines that say how far a result may be trusted: measured, valid, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.report.safe_text import safe
from simulator.units import format_count, format_ns

_PERCENTILES = (("p999", "p99.9"), ("p99", "p99"), ("p90", "p90"), ("p50", "p50"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _traffic(scenario: Mapping[str, Any]) -> list[str]:
    phases = scenario.get("traffic")
    if not isinstance(phases, Sequence) or isinstance(phases, str):
        return []
    return [_phase(phase) for phase in phases if isinstance(phase, Mapping)]


def _phase(phase: Mapping[str, Any]) -> str:
    what = "traffic"
    for kind, rate in _mapping(phase.get("arrivals")).items():
        if isinstance(rate, Mapping):
            start, end = rate.get("from"), rate.get("to")
            what = f"{kind} {start}" if start == end else f"{kind} {start} to {end}"
        elif rate:
            what = f"{kind} {rate}"
    hold = _mapping(phase.get("hold"))
    if hold:
        what = f"hold {hold.get('connections')} opened at {hold.get('rate')}"
    warm = ", warm-up" if phase.get("warmup") else ""
    return safe(f"{what} for {phase.get('for', '?')}{warm}", 120)


def measured_line(summary: Mapping[str, Any]) -> str:
    """What was done: loop type, traffic of each phase, engine and seed."""
    phases = _traffic(_mapping(summary.get("scenario")))
    shown = phases[:3] + ([f"{len(phases) - 3} more phases"] if len(phases) > 3 else [])
    parts = ["open loop", *shown]
    parts += [f"engine {safe(summary['engine'], 20)}"] if summary.get("engine") else []
    parts += [f"seed {safe(summary['seed'], 20)}"] if summary.get("seed") is not None else []
    return " · ".join(parts)


def valid_line(summary: Mapping[str, Any]) -> str:
    """The numbers that make it valid, or the doubts that make it not."""
    doubts = summary.get("doubts")
    listed = doubts if isinstance(doubts, Sequence) and not isinstance(doubts, str) else []
    messages = [
        safe(d.get("message")) for d in listed if isinstance(d, Mapping) and d.get("invalid", True)
    ]
    if summary.get("valid") is False and messages:
        return " · ".join(messages)
    attempts = _mapping(summary.get("attempts"))
    parts = []
    planned, sent = attempts.get("planned"), attempts.get("sent")
    if isinstance(planned, int) and isinstance(sent, int) and planned:
        parts.append(f"sent {100 * sent / planned:.2f}% of the plan")
    lag = _mapping(_mapping(summary.get("latency_ns")).get("lag")).get("p99")
    if isinstance(lag, int | float):
        parts.append(f"late p99 {format_ns(lag)}")
    for role in ("client", "balancer", "backend"):
        share = _mapping(summary.get("cpu")).get(f"{role}_share")
        if isinstance(share, int | float):
            parts.append(
                f"{'generator' if role == 'client' else role} {100 * share:.0f}% of a core"
            )
    return " · ".join(parts) or "not enough was measured to say"


def limits_line(summary: Mapping[str, Any]) -> str:
    """How far the numbers reach: percentiles, path, the state timers."""
    response = _mapping(_mapping(summary.get("latency_ns")).get("response"))
    parts = []
    for key, title in _PERCENTILES:
        if response.get(key) is not None:
            samples = response.get("count")
            count = format_count(samples) if isinstance(samples, int) else "?"
            parts.append(f"percentiles to {title} ({count} samples)")
            break
    environment = _mapping(summary.get("environment"))
    parts.append(safe(environment.get("path") or "loopback", 40))
    kernel = _mapping(_mapping(summary.get("scenario")).get("kernel"))
    if kernel.get("time_wait"):
        parts.append(f"TIME_WAIT {safe(kernel['time_wait'], 20)}")
    if kernel.get("port_range"):
        parts.append(f"ports {safe(kernel['port_range'], 20)}")
    if environment.get("kernel"):
        parts.append(f"Linux {safe(environment['kernel'], 60)}")
    return " · ".join(parts)
