"""`portchurn bench hold`: connections held on one listening port, at what rate and what cost.

A whole run of this project: generator processes that open from explicit source ports of many
addresses, one backend on one port, the sampler, the ledger. Before it begins, the preflight refuses
what descriptors or memory do not allow, with the arithmetic. Every connection is opened, held until
all are open, and ended; then the machine's available memory is held against what it was before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from simulator import __version__
from simulator.bench.held import UNITS, run, scenario_text
from simulator.bench.spec import Bench, Given, Option, Values
from simulator.kernel.limits import memory_available

#: The kernel frees a large socket table after the namespace has gone, not with it: wait for this
#: long at most for each 100,000 connections.
_SETTLES_S: Final = 5.0
_SETTLED_BYTES: Final = 64 << 20
#: Tuples of one source address toward one port: 1024-65535.
_PORTS_EACH: Final = 64_512

BENCH: Final = Bench(
    name="hold",
    question="How many connections can be held, how fast do they come, what does each cost?",
    units={
        **UNITS,
        "memory-kept": "MB",
        "errors": "connections",
    },
    versions=lambda: {"own": __version__},
    options=(
        Option(
            name="connections", default=100_000, least=1_000, most=1_000_000, text="To be held."
        ),
        Option(name="rate", default=20_000, least=100, most=100_000, text="Asked a second."),
        Option(name="sources", default=62, least=1, most=250, text="Source addresses."),
    ),
    rounds=1,
    patience_s=900.0,
    wanted=("1,000,000 held, opened at 15,000/s or more over the whole climb",),
)


def measure(subject: str, options: Given) -> Values:
    """One run.

    Raises:
        RunFailed: this machine cannot hold so many, with the reason.
    """
    asked, rate = int(options["connections"]), int(options["rate"])
    sources = max(int(options["sources"]), -(-asked // _PORTS_EACH))
    before = memory_available()
    with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as folder:
        # Reading a large table takes seconds, so samples are few.
        text = scenario_text(asked, rate, sources, every_s=max(1, asked // 50_000))
        held = run(text, Path(folder))
    ends = monotonic() + _SETTLES_S * asked / 100_000
    while before - memory_available() > _SETTLED_BYTES and monotonic() < ends:
        sleep(0.1)
    return {
        **held.values(),
        "memory-kept": max(0, before - memory_available()) / 1e6,
        "errors": held.failed,
    }
