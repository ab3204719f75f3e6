"""CPU and memory of each role over a run, for charts.

Processes of a role are summed: what a machine must give is what all of them take.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from simulator.engine import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSeries:
    """One role over time, all its processes together.

    Attributes:
        t_s: moments, shape (ticks,).
        cores: share of one core since the tick before, shape (ticks,).
        rss_bytes: memory, shape (ticks,).
    """

    t_s: tuple[float, ...]
    cores: tuple[float, ...]
    rss_bytes: tuple[float, ...]


def role_series(run: Run) -> dict[str, RoleSeries]:
    """Role -> its series; roles that told no CPU, as in the model, are left out."""
    by_role: dict[str, dict[int, list[tuple[int, int, int]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for line in run.roles:
        if "user_ns" in line and "system_ns" in line:
            spent = int(line["user_ns"]) + int(line["system_ns"])
            told = (int(line["t_ns"]), spent, int(line.get("rss_bytes") or 0))
            by_role[str(line["role"])][int(line.get("index", 0))].append(told)
    found = {role: _summed(list(processes.values())) for role, processes in by_role.items()}
    return {role: series for role, series in found.items() if series.t_s}


def _summed(processes: list[list[tuple[int, int, int]]]) -> RoleSeries:
    """Processes of a role tick at about the same moments: the n-th ticks belong together."""
    t_s, cores, memory = [], [], []
    for at in range(1, min(map(len, processes))):
        pairs = [(ticks[at - 1], ticks[at]) for ticks in processes]
        if any(now[0] <= before[0] for before, now in pairs):
            continue
        t_s.append(pairs[0][1][0] / NS_PER_S)
        cores.append(sum((now[1] - old[1]) / (now[0] - old[0]) for old, now in pairs))
        memory.append(float(sum(now[2] for _, now in pairs)))
    return RoleSeries(t_s=tuple(t_s), cores=tuple(cores), rss_bytes=tuple(memory))
