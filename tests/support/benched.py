"""Stored benches for tests of what is made from them: a ladder with known laws, and peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.bench.rows import summarise
from simulator.bench.stored import keep

if TYPE_CHECKING:
    from pathlib import Path

#: Work of each step of the ladder.
WORK: Final = (1_000.0, 10_000.0, 100_000.0)
PEERS: Final = {
    "own": [{"cpu": 20.0, "errors": 0.0}, {"cpu": 22.0, "errors": 0.0}, {"cpu": 24.0}],
    "haproxy": [{"cpu": 40.0, "errors": 0.0}, {"cpu": 44.0, "errors": 0.0}, {"cpu": 40.0}],
}


def ladder(root: Path, axis: str = "sockets") -> Path:
    """CPU that stays 50 us, samples that grow by work / 100 us, a p99 that has no law."""
    values: dict[str, float] = {"errors": 0.0, "cpu-exponent": 0.0, "sample-exponent": 1.0}
    for step, work in enumerate(WORK, 1):
        values[f"work-{step}"] = work
        values[f"cpu-{step}"] = 50.0
        values[f"sample-{step}"] = work / 100
        values[f"connect-p99-{step}"] = 40.0 * step**2
        values[f"rate-{step}"] = 15_000.0
    units = dict.fromkeys(values, "us") | {f"rate-{step}": "connections/s" for step in (1, 2, 3)}
    rows = summarise("scale", {axis: [values]}, {axis: "1"}, units, "")
    table = "a table\ntarget: constant"
    return keep(
        root, "scale", rows=rows, table=table, rounds={}, options={"most": 3}, command=["bench"]
    )


def peers(root: Path, subject: str = "nginx", **failed: float) -> Path:
    """Ours at half of HAProxy's cost in three rounds, and one that is not installed."""
    rounds = {name: [dict(one) | failed for one in each] for name, each in PEERS.items()}
    versions = {"own": "0.1.0", "haproxy": "2.6.12-1+deb12u4", subject: None}
    units = {"cpu": "us/connection", "errors": "connections"}
    rows = summarise("relay-close", rounds, versions, units, "haproxy")
    return keep(root, "relay", rows=rows, table="", rounds={}, options={}, command=["bench"])
