"""`portchurn bench scale`: how cost grows with the work, axis by axis, and the law in words.

Each axis is a ladder of whole runs that differ in one number. For each step: connections a second,
CPU for each connection (of all roles but the sampler), kernel memory for each, time of connect()
at the median and the 99th percentile, and CPU of the largest sample. A power law through the steps
then says whether a cost stays constant, grows linearly, or worse.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator import __version__
from simulator.bench.held import run, scenario_text
from simulator.bench.spec import Bench, Given, Option, Values
from simulator.errors import UsageError
from simulator.theory.growth import fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.bench.held import Held

#: Axis -> the ladder of its work; what is above the option `most` of the axis is left out.
LADDERS: Final[dict[str, tuple[int, ...]]] = {
    "connections": (1_000, 10_000, 100_000, 500_000, 1_000_000),
    "backends": (1, 16, 256, 4_096, 16_384),
    "sources": (1, 4, 16, 64),
    "workers": (1, 2, 4, 8, 16),
    "asked": (5_000, 10_000, 20_000, 40_000, 80_000),
}
#: What is told of each step -> its unit.
TOLD: Final[dict[str, str]] = {
    "rate": "connections/s",
    "cpu": "us/connection",
    "memory": "bytes/connection",
    "connect-p50": "us",
    "connect-p99": "us",
    "sample": "ms",
}
#: What a law is fitted to, by its name in sentences; rates are no cost.
_COSTS: Final[dict[str, str]] = {
    "cpu": "CPU for each connection",
    "memory": "kernel memory for each connection",
    "connect-p50": "connect() at the median",
    "connect-p99": "connect() at the 99th percentile",
    "sample": "a sample of the socket table",
}
#: What grows along an axis, in sentences.
_WORK: Final[dict[str, str]] = {
    "connections": "connections held",
    "backends": "backends",
    "sources": "source addresses",
    "workers": "workers",
    "asked": "connections asked a second",
}
_MOST_STEPS: Final = max(map(len, LADDERS.values()))
#: Below this the gauge of kernel memory hears the machine's noise and not the connections.
_LEAST_FOR_MEMORY: Final = 50_000

_RELAYED: Final = """\
title: Connections relayed to many backends
seed: 1
kernel: {{ port_range: 1024-49151, time_wait: 500ms }}
backends: {{ count: {backends}, processes: {processes}, ports: permanent, range: 49152-65535 }}
balancer: {{ policy: round-robin, close: reset }}
traffic: [{{ name: steady, for: {seconds}s, arrivals: {{ constant: {rate}/s }} }}]
"""
_RELAYED_PER_S: Final = 2_000


def _units() -> dict[str, str]:
    steps = range(1, _MOST_STEPS + 1)
    return {
        **{f"work-{step}": "of the axis" for step in steps},
        **{f"{name}-{step}": unit for name, unit in TOLD.items() for step in steps},
        **{f"{name}-exponent": "of growth" for name in _COSTS},
        "errors": "connections",
    }


def conclude(results: Mapping[str, Sequence[Values]]) -> list[str]:
    """The law of each cost on each axis, in sentences, from the medians of all rounds."""
    found = []
    for axis, rounds in results.items():
        work = _steps(rounds, "work")
        for name, cost in _COSTS.items():
            values = _steps(rounds, name)
            pairs = [(one, other) for one, other in zip(work, values, strict=True) if other > 0]
            if len(pairs) > 1:
                law = fit([one for one, _ in pairs], [other for _, other in pairs])
                found.append(law.sentence(cost, _WORK[axis]))
    return found


def _steps(rounds: Sequence[Values], name: str) -> list[float]:
    """Medians over the rounds at each step; 0 where a step has no such value."""
    steps = range(1, _MOST_STEPS + 1)
    each = [[one[f"{name}-{step}"] for one in rounds if f"{name}-{step}" in one] for step in steps]
    return [median(values) if values else 0.0 for values in each]


BENCH: Final = Bench(
    name="scale",
    question="How does cost grow with connections, rate, backends, addresses and workers?",
    units=_units(),
    versions=lambda: dict.fromkeys(LADDERS, __version__),
    options=(
        Option(name="connections", default=100_000, least=1_000, most=1_000_000, text="At most."),
        Option(name="backends", default=4_096, least=1, most=16_384, text="At most."),
        Option(name="sources", default=64, least=1, most=64, text="At most."),
        Option(name="workers", default=0, least=0, most=16, text="At most; 0 = cores."),
        Option(name="asked", default=80_000, least=5_000, most=80_000, text="A second, at most."),
        Option(name="held", default=10_000, least=500, most=100_000, text="On other axes."),
        Option(name="rate", default=15_000, least=500, most=100_000, text="Asked on other axes."),
    ),
    rounds=1,
    patience_s=1_800.0,
    conclude=conclude,
)


def measure(subject: str, options: Given) -> Values:
    """All steps of one axis.

    Raises:
        UsageError: there is no such axis.
        RunFailed: this machine cannot do one of the steps.
    """
    if subject not in LADDERS:
        raise UsageError(f"there is no axis {subject}; there are: {', '.join(LADDERS)}")
    most = int(options[subject]) or os.cpu_count() or 1
    ladder = [work for work in LADDERS[subject] if work <= most]
    values: Values = {"errors": 0}
    for step, work in enumerate(ladder, start=1):
        with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as folder:
            held = run(_text(subject, work, options), Path(folder))
        values[f"work-{step}"] = work
        values["errors"] += held.failed
        for name, value in _told(held).items():
            values[f"{name}-{step}"] = value
    for name in _COSTS:
        steps = [step for step in range(1, len(ladder) + 1) if f"{name}-{step}" in values]
        works = [values[f"work-{step}"] for step in steps]
        exponent = fit(works, [values[f"{name}-{step}"] for step in steps]).exponent
        if exponent is not None:
            values[f"{name}-exponent"] = exponent
    return values


def _text(axis: str, work: int, options: Given) -> str:
    held, rate = int(options["held"]), int(options["rate"])
    if axis == "connections":
        return scenario_text(work, rate, 64)
    if axis == "asked":  # up to where what is asked and what is done part
        return scenario_text(held, work, 64)
    if axis == "sources":
        return scenario_text(held, rate, work)
    if axis == "workers":
        return scenario_text(held, rate, 64, clients=work)
    return _RELAYED.format(
        backends=work,
        processes=min(work, 2),
        rate=_RELAYED_PER_S,
        seconds=max(1, held // (4 * _RELAYED_PER_S)),
    )


def _told(held: Held) -> Values:
    p50, p99 = np.percentile(held.connect_ns, [50, 99]) / 1e3 if held.ok else (0.0, 0.0)
    values = {
        "rate": held.ok / max(held.climb_s, 1e-9),
        "cpu": held.cpu_s * 1e6 / max(1, held.ok),
        "connect-p50": float(p50),
        "connect-p99": float(p99),
        "sample": held.sampler_s * 1e3,
    }
    if held.kernel_bytes and held.peak >= _LEAST_FOR_MEMORY:
        values["memory"] = held.kernel_bytes / held.peak
    return values
