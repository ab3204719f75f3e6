"""Stored runs with something for every chart of a page, made by hand so that numbers are known."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.summary import summarize
from simulator.ports.range import PortRange
from simulator.ports.space import space
from simulator.records import Call
from simulator.report.charts.story import tell
from simulator.store.read import load_run
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.report.charts.story import Story

#: What a browser or a terminal would take for more than text.
HOSTILE: Final = "</script><img src=x onerror=alert(1)><!--<script>alert(2)</script>"
ESCAPES: Final = "red \x1b[31malarm\x1b[0m \x07 \x9b2J \u202egnp.exe"
BUDGET: Final = 100
PORTS: Final = PortRange(50_000, 50_099)


def with_ports(seen: dict[str, Any], waiting: int) -> dict[str, Any]:
    """A hop's sample with its port space: the first ports of the range in TIME_WAIT."""
    held = {"time_wait": np.arange(PORTS.first, PORTS.first + waiting)}
    return {**seen, "ports": space(PORTS, held)}


def busy(**changes: Any) -> RunBuilder:  # noqa: ANN401 - keys of a scenario
    """Two seconds, 300 connections of which 20 fail for want of a port, a backend that moves."""
    traffic = [
        {"name": "calm", "for": "1s", "arrivals": {"constant": "100/s"}},
        {"name": "storm", "for": "1s", "arrivals": {"constant": "200/s"}},
    ]
    made = RunBuilder(scenario=scenario(**({"traffic": traffic} | changes))).started()
    due = [10 * MS * at for at in range(100)] + [S + 5 * MS * at for at in range(200)]
    made.planned(due)
    for row in range(300):
        if row < 280:
            made.ok(row, answer=2 * MS + row * 10_000, close=20 * MS, backend=row % 2)
            made.dial(due[row] + MS, backend=row % 2, call_ns=30_000 + 500 * row)
        else:
            made.failed(row, Call.RECV, errno.ECONNRESET)
            made.dial(due[row] + MS, error=errno.EADDRNOTAVAIL)
            made.refusal(row, Call.CONNECT, errno.EADDRNOTAVAIL)
    for at in range(21):
        waiting = min(BUDGET, 5 * at)
        seen = hop_sample(BUDGET, established=0, time_wait=waiting)
        calm = hop_sample(28_000, established=3, destination="127.2.0.1:8080")
        hops = {"client-balancer": calm, "balancer-backend": with_ports(seen, waiting)}
        made.sample(at * 100 * MS, hops, every_ns=100 * MS)
        for role in ("client", "balancer", "backend"):
            spent = {"user_ns": at * 20 * MS, "system_ns": at * 10 * MS, "rss_bytes": 30_000_000}
            made.tick(at * 100 * MS, role, **spent)
    made.lease(0, 40_123, to_ns=S).lease(0, 40_124, from_ns=S + 200 * MS).lease(1, 40_125)
    left = {"backend": 0, "address": "127.4.0.1", "port": 40_123, "how": "crash", "open": 1}
    made.event("backend-left", S, **left)
    made.event("backend-back", S + 200 * MS, backend=0, address="127.4.0.1", port=40_124)
    return made.event("ended", 2 * S, open=0)


def stored_run(root: Path, **changes: Any) -> Path:  # noqa: ANN401 - keys of a scenario
    """The folder of such a run, with its summary."""
    with busy(**changes).write(root) as writer:
        writer.finish(summarize(load_run(writer.folder)))
    return writer.folder


def story(root: Path) -> Story:
    """The same, ready to be drawn."""
    run = busy().run(root)
    return tell(run, summarize(run))
