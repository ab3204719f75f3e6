"""Tables of a run's page: latencies, tuples, errors, costs, phases; and its surroundings."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from simulator.report.page.parts import facts, folded, listing, listing_text, table
from simulator.report.safe_text import DASH
from simulator.report.summary_text import number, part, rows
from simulator.units import format_bytes, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PERCENTILES: Final = ("p50", "p90", "p99", "p999", "max")
_LATENCIES: Final = ("connect", "response", "service", "lag")
_ROLES: Final = ("client", "sidecar", "balancer", "backend")
_TUPLES: Final = (
    "budget",
    "in_use_peak",
    "established_peak",
    "time_wait_peak",
    "distinct_ports",
)
#: Numbers of moves that say nothing when they are 0.
_MOVES: Final = (
    "moves",
    "left",
    "back",
    "cut",
    "drained",
    "hung",
    "refused_after_move",
    "misdelivered",
    "lost_races",
    "stolen",
)


def latencies(summary: Mapping[str, Any]) -> str:
    """Percentiles of each kind of latency."""
    found = part(summary, "latency_ns")
    lines = [
        (
            kind,
            number(found[kind].get("count"), format_count),
            *(number(found[kind].get(key), format_ns) for key in _PERCENTILES),
        )
        for kind in _LATENCIES
        if found.get(kind)
    ]
    head = ("", "count", "p50", "p90", "p99", "p99.9", "max")
    return table("Latency in numbers", head, lines)


def tuples(summary: Mapping[str, Any]) -> str:
    """Budget and peaks of each hop's fullest group."""
    lines = []
    for hop in rows(summary, "hops"):
        counts = (number(hop.get(key), format_count) for key in _TUPLES)
        lines.append((hop.get("name"), *counts, _moment(hop.get("exhausted_at_s"))))
    head = ("hop", "budget", "peak", "established", "TIME_WAIT", "ports seen", "ran out at")
    return table("Tuples of each hop, worst source and destination", head, lines)


def _moment(value: object) -> str:
    return number(value, lambda s: f"{s:.1f} s")


def errors(summary: Mapping[str, Any]) -> str:
    """How many connections failed by hop, call and errno."""
    found = part(summary, "attempts", "errors")
    most = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    lines = [(key, format_count(times)) for key, times in most]
    return table("Failed connections", ("hop / call / errno", "count"), lines)


def costs(summary: Mapping[str, Any]) -> str:
    """CPU and memory for each connection."""
    cpu, memory = part(summary, "cpu"), part(summary, "memory")
    lines = []
    for role in _ROLES:
        spent = number(cpu.get(f"{role}_us_per_connection"), lambda us: format_ns(us * 1000))
        held = number(memory.get(f"{role}_bytes_per_connection"), format_bytes)
        if (spent, held) != (DASH, DASH):
            lines.append((role, spent, held))
    kernel = number(memory.get("kernel_bytes_per_connection"), format_bytes)
    if kernel != DASH:
        lines.append(("kernel", DASH, kernel))
    return table("Cost of one connection", ("", "CPU", "memory"), lines)


def moves(summary: Mapping[str, Any]) -> str:
    """What moving backends came to; nothing when none moved."""
    found = part(summary, "backends")
    return facts(
        (name.replace("_", " "), format_count(found[name]))
        for name in _MOVES
        if isinstance(found.get(name), int) and found[name]
    )


def phases(summary: Mapping[str, Any]) -> str:
    """What each phase asked for and got."""
    lines = []
    for phase in rows(summary, "phases"):
        rates = part(phase, "rates_per_s")
        name = f"{phase.get('name')} (warm-up)" if phase.get("warmup") else phase.get("name")
        told = (number(rates.get(key), format_rate) for key in ("asked", "sent", "ok"))
        span = f"{_moment(phase.get('start_s'))} to {_moment(phase.get('end_s'))}"
        lines.append((name, span, *told, number(phase.get("failed"), format_count)))
    return table("Phases", ("phase", "when", "asked", "sent", "ok", "failed"), lines)


def agreement(errors: Sequence[Mapping[str, Any]]) -> str:
    """How far the model and the kernel are apart, where the same plan was run on both."""
    lines = []
    for one in errors:
        told = (number(one.get(key), lambda n: f"{n:,.4g}") for key in ("kernel", "model"))
        parts = (number(one.get(key), lambda n: f"{100 * n:.2g} %") for key in ("error", "target"))
        holds = {True: "yes", False: "no"}.get(bool(one.get("holds")), DASH)
        lines.append((one.get("name"), *told, *parts, holds))
    head = ("series", "kernel", "model", "error", "target", "within")
    return table("The model (dashed above) against the kernel (solid)", head, lines)


def surroundings(summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Machine, settings, the scenario's text and how to run it again."""
    told = part(summary, "environment")
    limits = part(told, "limits")
    body = facts(
        [
            ("kernel", told.get("kernel")),
            ("machine", told.get("machine")),
            ("processor", told.get("cpu_model")),
            ("cores allowed", told.get("cores_allowed")),
            ("memory", number(told.get("memory_bytes"), format_bytes)),
            ("load before the run", told.get("load_1min")),
            ("clock", told.get("clocksource")),
            ("descriptors (soft, hard)", limits.get("descriptors")),
            ("python", told.get("python")),
            ("portchurn", manifest.get("version")),
            ("network path", told.get("path")),
            ("engine", manifest.get("engine")),
            ("seed", manifest.get("seed")),
        ]
    )
    settings = part(summary, "sysctls")
    body += folded("Settings of the run's own namespace", facts(sorted(settings.items())))
    host = part(told, "host_settings")
    body += folded("Settings of the host, untouched", facts(sorted(host.items())))
    packages = part(told, "packages")
    body += folded("Packages", listing(f"{name} {version}" for name, version in packages.items()))
    return body


def scenario(manifest: Mapping[str, Any]) -> str:
    """The scenario's text as it was given, and the command that ran it."""
    command = manifest.get("command")
    words = [str(one) for one in command] if isinstance(command, list) else []
    again = shlex.join(["portchurn", *words]) if words else ""
    body = "<h3>The command</h3>" + listing_text(again, "command") if again else ""
    text = manifest.get("scenario_text")
    if isinstance(text, str) and text:
        body += "<h3>The scenario</h3>" + listing_text(text, "scenario file")
    return body
