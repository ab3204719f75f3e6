"""A run that holds many connections on one listening port, and what its folder says of it.

The whole engine takes part: generator processes with their ledger, one backend whose port several
processes share, the sampler. Processes are as many as the descriptor limit asks for.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.errors import RunFailed
from simulator.kernel.limits import read_machine
from simulator.records import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.bench.spec import Values

_SCENARIO: Final = """\
title: Connections held on one listening port
seed: 1
kernel: {{ port_range: 1024-65535 }}
backends:
  {{ count: 1, processes: {servers}, ports: random, range: 20000-20999, backlog: 65535 }}
balancer: {{ driver: none, close: reset }}
clients:
  processes: {clients}
  source: {{ addresses: {sources}, ports: userspace }}
  timeout: 60s
traffic:
  - {{ name: climb, for: {seconds}s, requests: 0, hold: {{ connections: {held}, rate: {rate}/s }} }}
sampling: {{ every: {every}s }}
grace: 120s
"""
#: What a process keeps open besides its connections, generously.
OWN_DESCRIPTORS: Final = 128
MOST_PROCESSES: Final = 64
_PATIENCE: Final = 1.3
#: What `Held.values` tells of such a run -> its unit.
UNITS: Final[dict[str, str]] = {
    "held": "connections",
    "rate": "connections/s",
    "memory-kernel": "bytes/connection",
    "memory-own": "bytes/connection",
    "cpu": "us/connection",
    "close": "s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one such run did.

    Attributes:
        planned: connections that were asked for.
        ok: connections that were opened, held to the end and closed.
        failed: all others.
        peak: most that were open at one time.
        climb_s: from the first connect to the moment the last was connected.
        close_s: from the first close to the last.
        connect_ns: time inside bind() and connect() of each.
        kernel_bytes: kernel memory at the peak by the run's own gauge, 0 where it says nothing.
        own_bytes: memory that the roles grew by.
        cpu_s: CPU time of the roles that connect and accept.
        sampler_s: CPU time of the longest sample.
        whole_s: time of the whole command.
    """

    planned: int
    ok: int
    failed: int
    peak: int
    climb_s: float
    close_s: float
    connect_ns: np.ndarray[Any, Any]
    kernel_bytes: float
    own_bytes: float
    cpu_s: float
    sampler_s: float
    whole_s: float

    def values(self) -> Values:
        """What a bench tells of it, by the metrics of `UNITS`; costs are for each held."""
        each = 1 / max(1, self.peak)
        return {
            "held": self.peak,
            "rate": self.ok / max(self.climb_s, 1e-9),
            "memory-kernel": self.kernel_bytes * each,
            "memory-own": self.own_bytes * each,
            "cpu": self.cpu_s * 1e6 * each,
            "close": self.close_s,
        }


def scenario_text(held: int, rate: int, sources: int, clients: int = 0, every_s: int = 1) -> str:
    """The scenario of such a run.

    Args:
        held: connections.
        rate: asked for, each second.
        sources: source addresses.
        clients: generator processes; 0 = as few as descriptors allow.
        every_s: time between two samples.

    Raises:
        RunFailed: this machine's descriptor limit does not allow so many.
    """
    spare = read_machine().descriptors_hard - OWN_DESCRIPTORS
    fewest = ceil(held / spare)
    # The kernel spreads connections over those who accept by a hash: mean and five deviations.
    servers = next((n for n in range(1, MOST_PROCESSES + 1) if uneven(held, n) <= spare), 0)
    if not servers or fewest > MOST_PROCESSES:
        raise RunFailed(
            f"{held:,} connections need more than {MOST_PROCESSES} processes of {spare:,} "
            "descriptors on either side; raise the limit (ulimit -Hn) or ask for fewer"
        )
    return _SCENARIO.format(
        held=held,
        rate=rate,
        sources=sources,
        # All should be open at once, also where the machine is slower than was asked for.
        seconds=ceil(held / rate * _PATIENCE),
        servers=servers,
        clients=max(fewest, clients),
        every=every_s,
    )


def uneven(total: int, parts: int) -> float:
    """The largest part when a hash spreads connections: its mean and five deviations."""
    return total if parts == 1 else total / parts + 5 * sqrt(total / parts)


def run(text: str, folder: Path) -> Held:
    """Run such a scenario by its verb, and read its folder.

    Raises:
        RunFailed: the run did not come to its summary.
    """
    file = folder / "held.yaml"
    file.write_text(text)
    words = ["run", str(file), "--quiet", "--output", "json", "--results", str(folder / "results")]
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise RunFailed(f"nothing was held:\n{done.stderr[-2000:]}")
    summary = json.loads(done.stdout)
    (stored,) = (folder / "results").glob("*/*/summary.json")
    return _read(stored.parent, summary)


def _read(folder: Path, summary: dict[str, Any]) -> Held:
    rows = {
        name: np.load(folder / "connections" / f"{name}.npy")
        for name in ("sent_ns", "connected_ns", "closed_ns", "connect_call_ns", "outcome")
    }
    ok = rows["outcome"] == Outcome.OK
    connected = rows["connected_ns"][ok]
    opened, closed = (connected.max(), rows["closed_ns"][ok].max()) if ok.any() else (0, 0)
    began = rows["sent_ns"][ok].min() if ok.any() else 0
    roles = _last_of_roles(folder)
    kernel = [one for one in _lines(folder, "events") if one.get("event") == "kernel-memory"]
    samples = list(_lines(folder, "samples"))
    return Held(
        planned=len(ok),
        ok=int(ok.sum()),
        failed=int((~ok).sum()),
        peak=int(summary["connections"]["peak_concurrent"]),
        climb_s=float(opened - began) / 1e9,
        close_s=float(closed - rows["closed_ns"][ok].min(initial=closed)) / 1e9,
        connect_ns=rows["connect_call_ns"][ok],
        kernel_bytes=float(kernel[-1]["bytes"]) if kernel else 0.0,
        own_bytes=_growth(folder),
        cpu_s=sum(one["user_ns"] + one["system_ns"] for one in roles if one["role"] != "sampler")
        / 1e9,
        sampler_s=max((one["cpu_ns"] for one in samples), default=0) / 1e9,
        whole_s=float(closed) / 1e9,
    )


def _lines(folder: Path, stream: str) -> list[dict[str, Any]]:
    path = folder / f"{stream}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _last_of_roles(folder: Path) -> list[dict[str, Any]]:
    """The last report of each process."""
    last = {(one["role"], one["index"]): one for one in _lines(folder, "roles")}
    return list(last.values())


def _growth(folder: Path) -> float:
    """By how much the processes of the run grew, from their first report to their largest."""
    first: dict[tuple[str, int], int] = {}
    most: dict[tuple[str, int], int] = {}
    for one in _lines(folder, "roles"):
        if one["role"] == "sampler":
            continue
        key = (one["role"], one["index"])
        first.setdefault(key, one["rss_bytes"])
        most[key] = max(most.get(key, 0), one["rss_bytes"])
    return float(sum(most[key] - first[key] for key in first))
