"""`portchurn bench sampler`: what one sample of a large socket table costs, and how that grows.

The sampler of a run reads the table of a namespace that holds so many idle sockets, and counts them
into the two hops of a scenario, as it does in a run. Its CPU time for a sample, once a second, is
its share of a core. How it grows is fitted over the steps.
"""

from __future__ import annotations

import statistics
from time import process_time_ns
from typing import Final

from simulator import __version__
from simulator.bench.processes import write_setting
from simulator.bench.spec import Bench, Given, Option, Values
from simulator.kernel.namespace import enter_namespaces
from simulator.kernel.sockdiag import ALL_STATES, ESTABLISHED, LISTEN, SocketDiag, parse_datagram
from simulator.live.casting import table_entries
from simulator.preflight.places import BACKEND_PREFIX, CLIENT_PREFIX
from simulator.theory.growth import fit

#: Steps, as shares of the sockets that were asked for.
STEPS: Final = (0.1, 0.5, 1.0)
_SAMPLES: Final = 5
#: Only a datagram that is shorter than full can be the last.
_LAST_BYTES: Final = 30_000

BENCH: Final = Bench(
    name="sampler",
    question="What does a sample of the socket table cost, and how does that grow?",
    units={
        **{f"sample-{step:.0%}": "ms" for step in STEPS},
        "share": "of one core",
        "kernel": "of one core",
        "exponent": "of growth",
        "sockets": "sockets",
        "errors": "sockets",
    },
    versions=lambda: {"own": __version__},
    options=(
        Option(name="sockets", default=100_000, least=200, most=2_000_000, text="In the table."),
    ),
    patience_s=600.0,
    wanted=(
        "share at most 0.03 with 100,000 sockets (`kernel` is what the kernel alone takes)",
        "exponent about 1: cost grows linearly",
    ),
)


def measure(subject: str, options: Given) -> Values:
    """One round: a crowd that grows, and some samples at each step."""
    from simulator.bench.crowded import Crowd

    asked = int(options["sockets"]) // 2 * 2
    # The table of a run of so many connections: to walk over empty buckets costs time as well.
    enter_namespaces(pid=False, hash_entries=table_entries(asked // 2))
    write_setting("core.somaxconn", "10000000")
    values: Values = {"sockets": asked}
    costs, sizes, missing = [], [], 0
    crowd = Crowd()
    try:
        for step in STEPS:
            crowd.grow(int(asked * step) // 2 * 2)
            cost_ms, seen = _sample()
            values[f"sample-{step:.0%}"] = cost_ms
            values["kernel"] = _kernel_s()
            missing += abs(seen - crowd.sockets)
            sizes.append(float(crowd.sockets))
            costs.append(cost_ms)
    finally:
        crowd.close()
    values["share"] = costs[-1] / 1e3
    values["exponent"] = fit(sizes, costs).exponent or 0.0
    values["errors"] = missing
    return values


def _sample() -> tuple[float, int]:
    """CPU of one sample in ms (the middle of some), and the sockets it saw without listeners."""
    from simulator.kernel.counters import read_counters, read_time_wait_count
    from simulator.live.sampler import HopCounter
    from simulator.live.settings import HopView

    counter = HopCounter(
        HopView(
            name="client-backend",
            destination_prefix=BACKEND_PREFIX,
            source_prefix=CLIENT_PREFIX,
            per="tuple",
            budget=64_512,
            groups=1,
            blocking_ms=0,
            counts_bound=False,
        )
    )
    diag = SocketDiag()
    spent, seen = [], 0
    for _ in range(_SAMPLES):
        began = process_time_ns()
        table = diag.dump(ALL_STATES, (BACKEND_PREFIX,))
        counter.count(table)
        read_counters()
        read_time_wait_count()
        spent.append((process_time_ns() - began) / 1e6)
        seen = 2 * int((table.state != LISTEN).sum())  # of each connection one end is read
    diag.close()
    return statistics.median(spent), seen


def _kernel_s() -> float:
    """CPU time in s of reading what is established, and of looking at nothing but the end."""
    diag = SocketDiag()
    spent = []
    for _ in range(_SAMPLES):
        began = process_time_ns()
        diag.ask(1 << ESTABLISHED, (BACKEND_PREFIX,))
        while True:
            datagram = diag.answer()
            if len(datagram) < _LAST_BYTES and parse_datagram(datagram)[1]:
                break
        spent.append((process_time_ns() - began) / 1e9)
    diag.close()
    return statistics.median(spent)
