"""The three lines that say how far a result may be trusted: measured, valid, limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from simulator.records import NEEDLESS
from simulator.report.loop_text import loop_words
from simulator.report.safe_text import safe
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

_PERCENTILES = (("p999", "p99.9"), ("p99", "p99"), ("p90", "p90"), ("p50", "p50"))
_PHASES_SHOWN: Final = 3
_IPV4: Final = "net.ipv4."


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[Mapping[str, Any]]:
    listed = value if isinstance(value, Sequence) and not isinstance(value, str) else []
    return [row for row in listed if isinstance(row, Mapping)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _seconds(phase: Mapping[str, Any]) -> float:
    start, end = phase.get("start_s"), phase.get("end_s")
    return float(end) - float(start) if _is_number(start) and _is_number(end) else 0.0  # type: ignore[arg-type]


def _phase(phase: Mapping[str, Any]) -> str:
    rate = _mapping(phase.get("rates_per_s")).get("asked")
    asked = f" at {format_rate(float(rate))}" if _is_number(rate) else ""  # type: ignore[arg-type]
    return f"{safe(phase.get('name'), 64)} {format_ns(_seconds(phase) * NS_PER_S)}{asked}"


def measured_line(summary: Mapping[str, Any]) -> str:
    """What was done: loop type, each measured phase, warm-up, engine and seed."""
    phases = _rows(summary.get("phases"))
    measured = [phase for phase in phases if not phase.get("warmup")]
    warm_s = sum(_seconds(phase) for phase in phases if phase.get("warmup"))
    parts = [loop_words(summary), *map(_phase, measured[:_PHASES_SHOWN])]
    if len(measured) > _PHASES_SHOWN:
        parts.append(f"{len(measured) - _PHASES_SHOWN} more phases")
    if warm_s:
        parts.append(f"after {format_ns(warm_s * NS_PER_S)} of warm-up")
    if summary.get("engine"):
        parts.append(f"{safe(summary['engine'], 20)} engine")
    if summary.get("seed") is not None:
        parts.append(f"seed {safe(summary['seed'], 20)}")
    return " · ".join(parts)


def valid_line(summary: Mapping[str, Any]) -> str:
    """The numbers that make it valid, or the doubts that make it not."""
    messages = [
        safe(doubt.get("message")) for doubt in _rows(summary.get("doubts")) if doubt.get("invalid")
    ]
    if summary.get("valid") is False and messages:
        return " · ".join(messages)
    attempts = _mapping(summary.get("attempts"))
    parts = []
    planned, sent = attempts.get("planned"), attempts.get("sent")
    needless = _mapping(attempts.get("not_sent")).get(NEEDLESS, 0)
    if isinstance(planned, int) and isinstance(needless, int):
        planned -= needless  # a plan's rows for the worst case were not missed
    if isinstance(planned, int) and isinstance(sent, int) and planned:
        parts.append(f"sent {100 * sent / planned:.2f}% of the plan")
    lag = _mapping(_mapping(summary.get("latency_ns")).get("lag")).get("p99")
    if isinstance(lag, int | float):
        parts.append(f"late p99 {format_ns(lag)}")
    names = {"client": "generator", "sidecar": "sidecar", "balancer": "balancer"}
    for role, name in {**names, "backend": "backend"}.items():
        share = _mapping(summary.get("cpu")).get(f"{role}_busiest_share")
        if isinstance(share, int | float):
            parts.append(f"{name} {100 * share:.0f}% of a core")
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
    if summary.get("engine") == "model":
        return " · ".join([*parts, *_model_parts(_mapping(summary.get("model")))])
    parts.append(safe(environment.get("path") or "loopback", 40))
    parts += _timers(_mapping(summary.get("sysctls")))
    if environment.get("kernel"):
        parts.append(f"Linux {safe(environment['kernel'], 60)}")
    return " · ".join(parts)


def _model_parts(model: Mapping[str, Any]) -> list[str]:
    """How the model did it, and what it leaves out."""
    parts = ["model: no CPU, no kernel cost, no network"]
    per_s = model.get("per_s")
    if _is_number(per_s):
        parts.append(f"by {safe(model.get('path'), 20)}, {format_rate(float(per_s))} modelled")  # type: ignore[arg-type]
    if model.get("unvalidated"):
        parts.append("unvalidated in part, see the notes")
    return parts


def _timers(settings: Mapping[str, Any]) -> list[str]:
    """TIME_WAIT and the port range as the run's namespace had them."""
    parts = []
    reuse, delay = settings.get(f"{_IPV4}tcp_tw_reuse"), settings.get(f"{_IPV4}tcp_tw_reuse_delay")
    if reuse == "1" and delay:
        parts.append(f"TIME_WAIT {safe(delay, 10)}ms (tw_reuse 1)")
    elif reuse is not None:
        parts.append(f"TIME_WAIT 60s (tw_reuse {safe(reuse, 10)})")
    ports = settings.get(f"{_IPV4}ip_local_port_range")
    if ports:
        parts.append(f"ports {safe('-'.join(str(ports).split()), 20)}")
    return parts
