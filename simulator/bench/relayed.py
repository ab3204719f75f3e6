"""`portchurn bench relayed`: connections held through the balancer, up to where this machine ends.

A relayed connection has four sockets and four file handles, two of them in a relay worker. So
descriptors of a process, `fs.file-max` and memory end it sooner than a direct one. The preflight
that guards every run says how far this machine goes, before anything is started; when more was
asked for, the bench holds as many as there is room for and names what ended it.
"""

from __future__ import annotations

import tempfile
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator import __version__
from simulator.bench.held import MOST_PROCESSES, OWN_DESCRIPTORS, UNITS, run, uneven
from simulator.bench.spec import Bench, Given, Option, Values
from simulator.errors import RunFailed
from simulator.kernel.limits import read_machine
from simulator.preflight.examine import examine
from simulator.scenario.load import load_text
from simulator.traffic.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCENARIO: Final = """\
title: Connections held through the balancer
seed: 1
kernel: {{ port_range: 1024-65535, time_wait: 500ms }}
backends:
  {{ count: 1, processes: {servers}, ports: random, range: 20000-20999, backlog: 65535 }}
balancer:
  workers: {workers}
  policy: round-robin
  close: client
  idle_timeout: 600s
  source: {{ addresses: 64, ports: userspace }}
clients:
  processes: {clients}
  source: {{ addresses: 64, ports: userspace }}
  timeout: 60s
traffic:
  - {{ name: climb, for: {seconds}s, requests: 0, hold: {{ connections: {held}, rate: {rate}/s }} }}
sampling: {{ every: {every}s }}
grace: 180s
"""
#: Longer than the rate alone asks for: all should be open at once on a slower machine too.
_PATIENCE: Final = 1.2
#: How exactly the end of the machine is looked for, in connections.
_STEP: Final = 1_000


def scenario_text(held: int, rate: int) -> str:
    """The scenario of such a run, spread over as few processes as descriptors allow."""
    spare = read_machine().descriptors_hard - OWN_DESCRIPTORS
    many = range(1, MOST_PROCESSES + 1)
    return _SCENARIO.format(
        held=held,
        rate=rate,
        seconds=ceil(held / rate * _PATIENCE),
        servers=next((n for n in many if uneven(held, n) <= spare), MOST_PROCESSES),
        workers=next((n for n in many if 2 * uneven(held, n) <= spare), MOST_PROCESSES),
        clients=min(MOST_PROCESSES, ceil(held / spare)),
        every=max(1, held // 10_000),  # reading a large table takes seconds
    )


def refusals(held: int, rate: int) -> tuple[str, ...]:
    """What keeps this machine from holding so many, with the arithmetic; empty if nothing."""
    scenario = load_text(scenario_text(held, rate), "relayed").scenario
    return examine(scenario, make_plan(scenario), read_machine()).refusals


def reach(asked: int, rate: int) -> int:
    """The most that can be held here, up to what is asked, to within a thousand.

    Raises:
        RunFailed: not even a thousand can.
    """
    if not refusals(asked, rate):
        return asked
    fits, over = 0, asked
    while over - fits > _STEP:
        middle = (fits + over) // 2
        fits, over = (fits, middle) if refusals(middle, rate) else (middle, over)
    if fits < _STEP:
        raise RunFailed(f"fewer than {_STEP} can be held:\n" + "\n".join(refusals(_STEP, rate)))
    return fits


def _conclude(results: Mapping[str, Sequence[Values]]) -> list[str]:
    """What ended it, where less was held than asked for."""
    last = results["own"][-1]
    asked, room, rate = int(last["asked"]), int(last["room"]), int(last["paced"])
    if room >= asked:
        return []
    why = refusals(asked, rate)
    return [f"{asked:,} were asked for, and this machine has room for {room:,}:", *why]


BENCH: Final = Bench(
    name="relayed",
    question="How many connections can be held through the balancer, and what ends it?",
    units={
        "asked": "connections",
        "room": "connections",
        "paced": "connections/s",
        **UNITS,
        "errors": "connections",
    },
    versions=lambda: {"own": __version__},
    options=(
        Option(name="connections", default=50_000, least=1_000, most=1_000_000, text="To be held."),
        Option(name="rate", default=6_000, least=100, most=100_000, text="Asked a second."),
    ),
    rounds=1,
    patience_s=1_200.0,
    wanted=("500,000 held, and 1,000,000 where descriptors, fs.file-max and memory allow",),
    conclude=_conclude,
)


def measure(_subject: str, options: Given) -> Values:
    """One run, of as many as there is room for.

    Raises:
        RunFailed: this machine can hold hardly any, or the run did not end well.
    """
    asked, rate = int(options["connections"]), int(options["rate"])
    room = reach(asked, rate)
    with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as folder:
        held = run(scenario_text(room, rate), Path(folder))
    return {
        "asked": asked,
        "room": room,
        "paced": rate,
        **held.values(),
        "errors": held.failed,
    }
