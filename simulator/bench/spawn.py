"""`portchurn bench spawn`: how long until backends listen and the balancer knows them all.

The crew of a run is started as `portchurn serve` does it: namespaces, backend processes that bind
and keep a port for each backend, a balancer that is told of all. The clock runs from before the
first process until the balancer has said that it knows every one; a Python that starts and imports
is in it. No peer does this work, so there is nobody to compare with.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from simulator import __version__
from simulator.bench.spec import Bench, Given, Option, Values

_SCENARIO: Final = """\
title: Backends that listen
seed: 1
kernel: {{ port_range: 10000-39999 }}
backends: {{ count: {count}, processes: {processes}, ports: {ports}, range: 49152-65535 }}
traffic: [{{ name: none, for: 1s, arrivals: {{ constant: 1/s }} }}]
"""
FEW: Final = 1_000

BENCH: Final = Bench(
    name="spawn",
    question="How long until backends listen and are registered?",
    units={f"spawn-{FEW}": "s", "spawn-most": "s", "most": "backends", "errors": "backends"},
    versions=lambda: {"random": __version__, "permanent": __version__},
    against="permanent",
    options=(
        Option(name="most", default=16_384, least=10, most=16_384, text="Backends of `most`."),
        Option(name="processes", default=2, least=1, most=64, text="Backend processes of `most`."),
    ),
    wanted=("1,000 backends within 0.5 s, 16,384 within 4 s",),
)


def measure(subject: str, options: Given) -> Values:
    """Start and end a crew with few backends, then one with many."""
    most = int(options["most"])
    # The last draws from a range that is nearly taken lose nearly every race, so leave some room.
    many = most if subject == "permanent" else most * 3 // 4
    few_s, few_missing = _spawn(FEW, 1, subject)
    most_s, most_missing = _spawn(many, int(options["processes"]), subject)
    return {
        f"spawn-{FEW}": few_s,
        "spawn-most": most_s,
        "most": many,
        "errors": few_missing + most_missing,
    }


def _spawn(count: int, processes: int, ports: str) -> tuple[float, int]:
    """Seconds until all are registered, and how many are missing then."""
    from simulator.live.serving import Serving
    from simulator.scenario.load import load_file

    with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as folder:
        file = Path(folder) / "backends.yaml"
        file.write_text(_SCENARIO.format(count=count, processes=processes, ports=ports))
        scenario = load_file(file).scenario

    async def start() -> tuple[float, int]:
        began = perf_counter()
        async with Serving(scenario) as serving:
            endpoints = await serving.start()
            taken_s = perf_counter() - began
            known = {(address, port) for _, address, port in endpoints.backends}
            return taken_s, count - len(known)

    return asyncio.run(start())
