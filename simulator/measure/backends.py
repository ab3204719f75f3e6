"""What the backends did: the ports each one had, how often they moved, how evenly they were picked.

Source of the index: Jain, Chiu, Hawe, "A Quantitative Measure of Fairness", DEC-TR-301, 1984.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.measure import folded
from simulator.measure.port_use import evenness
from simulator.measure.roles import last_counters, sum_by_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run


def jain_index(counts: Sequence[int]) -> float | None:
    """How even counts are: 1 when all are equal, 1/n when one has everything; None when all are 0.

    Source: DEC-TR-301, equation 1: (sum x)^2 / (n * sum x^2).
    """
    total = sum(counts)
    if not total:
        return None
    return total * total / (len(counts) * sum(count * count for count in counts))


def leases(run: Run) -> list[Mapping[str, Any]]:
    """Each lease once, by its last line: one is written when it begins and again when it ends."""
    last = {(lease["backend"], lease["from_ns"]): lease for lease in run.leases}
    return list(last.values())


def ports_by_backend(run: Run) -> dict[str, list[int]]:
    """Every port each backend listened on, in the order it had them."""
    found: dict[str, list[int]] = {}
    for lease in sorted(leases(run), key=lambda lease: (lease["backend"], lease["from_ns"])):
        ports = found.setdefault(str(lease["backend"]), [])
        if not ports or ports[-1] != int(lease["port"]):
            ports.append(int(lease["port"]))
    return found


def endpoints(run: Run) -> dict[int, str]:
    """``address:port`` where each backend was last heard of."""
    ordered = sorted(run.leases, key=lambda lease: int(lease["from_ns"]))
    return {int(lease["backend"]): f"{lease['address']}:{lease['port']}" for lease in ordered}


def picks_by_backend(run: Run) -> dict[str, int]:
    """How often each backend was picked: by the balancer, or by the clients where they pick."""
    if run.folded is not None:
        return folded.picks(run)
    picks = sum_by_key(last_counters(run, "balancer"), "picks")
    if not picks:
        chosen = run.connections["backend"]
        counts = np.bincount(chosen[(chosen >= 0) & (run.connections["sent_ns"] >= 0)])
        picks = {str(index): int(count) for index, count in enumerate(counts) if count}
    return dict(sorted(picks.items(), key=lambda item: int(item[0])))


def backend_table(run: Run) -> dict[str, Any]:
    """``backends`` of a summary."""
    ports, picks = ports_by_backend(run), picks_by_backend(run)
    count = run.scenario.backends.count
    counts = np.array([picks.get(str(index), 0) for index in range(count)], dtype=np.int64)
    return {
        "count": count,
        "ports": ports,
        "moves": sum(len(had) - 1 for had in ports.values()),
        "lost_races": sum(int(lease.get("lost_races") or 0) for lease in leases(run)),
        "picks": picks,
        "jain": jain_index(counts.tolist()),
        # Even shares are the ideal: what each would have had, and chi-square against it for each
        # degree of freedom (1 = as uneven as drawn at random).
        "picks_ideal": float(counts.sum()) / count,
        "picks_dispersion": evenness(counts)["dispersion"],
    }
