"""A run over time: rates, concurrency, errors, and each hop's tuples, for charts.

Rows and dials are counted in bins of equal width; samples of the socket table keep their own
moments, since between two samples nothing is known. A gap, as after a sampler was lost, shows as
a value of None, so that no chart draws a line across it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.attribution import Causes, find_causes
from simulator.measure.turns import due_ns
from simulator.preflight.hops import client_hop
from simulator.records import Hop, Outcome, error_key
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine import Run

BIN_NS: Final = NS_PER_S // 10
#: A silence of more than this many usual intervals is a gap.
_GAP: Final = 3.5

Ints = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One run over time.

    Attributes:
        bin_s: width of a bin.
        t_s: start of each bin, shape (bins,).
        rates_per_s: ``asked, sent, ok, failed`` -> connections per second, each (bins,). ok and
            failed count where a connection was sent, so that they add up to sent in the end.
        open_connections: client connections open at the end of each bin, (bins,).
        errors_per_s: ``hop/call/ERRNO`` -> failed connections per second, each (bins,).
        dials_per_s: ``ok, failed`` -> connects of the balancer per second, each (bins,).
        hops: label -> column -> values, one per sample; None in a gap.
    """

    bin_s: float
    t_s: list[float]
    rates_per_s: Mapping[str, list[float]]
    open_connections: list[int]
    errors_per_s: Mapping[str, list[float]]
    dials_per_s: Mapping[str, list[float]]
    hops: Mapping[str, Mapping[str, list[float | None]]]


class _Bins:
    """Counts moments in ns in bins of equal width."""

    def __init__(self, width_ns: int, end_ns: int) -> None:
        self.width_ns = width_ns
        self.count = max(1, -(-end_ns // width_ns))

    def counts(self, moments_ns: Ints) -> Ints:
        """How many moments fall in each bin; those not happened (-1) in none."""
        index = moments_ns[moments_ns >= 0] // self.width_ns
        return np.bincount(np.minimum(index, self.count - 1), minlength=self.count)

    def rate(self, moments_ns: Ints) -> list[float]:
        """The same per second."""
        scaled: list[float] = (self.counts(moments_ns) * (NS_PER_S / self.width_ns)).tolist()
        return scaled


def time_series(run: Run, *, bin_ns: int = BIN_NS) -> Series:
    """Work out the time series of a run.

    Args:
        run: complete or cut short.
        bin_ns: width of a bin in ns, above 0; a folded run has bins as wide as its samples.
    """
    if run.folded is not None:
        return _folded(run, run.folded)
    rows, outcome = run.connections, run.connections["outcome"]
    moments = (rows["sent_ns"], rows["closed_ns"], run.dials["t_ns"])
    seen_ns = max(int(column.max(initial=0)) + 1 for column in moments)
    bins = _Bins(bin_ns, max(run.scenario.duration_ns, seen_ns))
    opened = rows["connected_ns"]
    closed = np.where(opened >= 0, rows["closed_ns"], -1)
    good = run.dials["error"] == 0
    return Series(
        bin_s=bin_ns / NS_PER_S,
        t_s=(np.arange(bins.count) * (bin_ns / NS_PER_S)).tolist(),
        rates_per_s={
            "asked": bins.rate(due_ns(run)),
            "sent": bins.rate(rows["sent_ns"]),
            "ok": bins.rate(rows["sent_ns"][outcome == Outcome.OK]),
            "failed": bins.rate(rows["sent_ns"][outcome == Outcome.FAILED]),
        },
        open_connections=np.cumsum(bins.counts(opened) - bins.counts(closed)).tolist(),
        errors_per_s=_errors(run, find_causes(run), bins),
        dials_per_s={
            "ok": bins.rate(run.dials["t_ns"][good]),
            "failed": bins.rate(run.dials["t_ns"][~good]),
        },
        hops=_hop_tables(run),
    )


def _folded(run: Run, counts: Mapping[str, Any]) -> Series:
    """The series of a run without rows, from its bins."""
    bin_s = counts["every_ns"] / NS_PER_S
    asked, opened, closed, still_open = (
        np.array(counts[name], dtype=np.int64)
        for name in ("asked", "opened", "closed", "open_at_end")
    )
    per_s = {
        name: (values / bin_s).tolist()
        for name, values in (
            ("asked", asked), ("sent", asked), ("ok", opened - still_open),
            ("failed", asked - opened),
        )
    }  # fmt: skip
    key = error_key(client_hop(run.scenario), counts["call"], counts["error"])
    return Series(
        bin_s=bin_s,
        t_s=(np.arange(len(asked)) * bin_s).tolist(),
        rates_per_s=per_s,
        open_connections=np.cumsum(opened - closed).tolist(),
        errors_per_s={key: per_s["failed"]} if any(per_s["failed"]) else {},
        dials_per_s={"ok": [0.0] * len(asked), "failed": [0.0] * len(asked)},
        hops=_hop_tables(run),
    )


def _hop_tables(run: Run) -> dict[str, dict[str, list[float | None]]]:
    return {hop.label: table for hop in Hop if (table := _hop_table(run, hop)) is not None}


def _errors(run: Run, causes: Causes, bins: _Bins) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    sent = run.connections["sent_ns"][causes.row]
    kinds = np.stack([causes.hop, causes.call, causes.error], axis=1)
    for hop, call, error in np.unique(kinds, axis=0):
        chosen = (causes.hop == hop) & (causes.call == call) & (causes.error == error)
        found[error_key(Hop(int(hop)), int(call), int(error))] = bins.rate(sent[chosen])
    return found


def _hop_columns(seen: Mapping[str, Any]) -> dict[str, float]:
    worst = seen.get("worst") or {}
    budget = float(seen["budget"])
    in_use = float(worst.get("in_use", 0))
    return {
        "budget": budget,
        "in_use": in_use,
        "left": budget - in_use,
        "established": float(worst.get("established", 0)),
        "time_wait": float(worst.get("time_wait", 0)),
        "other": float(worst.get("other", 0)),
        "all_established": float(seen.get("established", 0)),
        "all_time_wait": float(seen.get("time_wait", 0)),
        "distinct_ports": float(seen.get("distinct_ports", 0)),
        "new_ports": float(seen.get("new_ports", 0)),
    }


def _hop_table(run: Run, hop: Hop) -> dict[str, list[float | None]] | None:
    """One hop's samples as columns; the worst group's where no ``all_`` stands before."""
    seen = [
        (int(sample["t_ns"]), sample["hops"][hop.label])
        for sample in run.samples
        if hop.label in sample.get("hops", {})
    ]
    if not seen:
        return None
    usual = float(np.median(np.diff([t_ns for t_ns, _ in seen]))) if len(seen) > 2 else 0.0
    table: dict[str, list[float | None]] = {"t_s": []}
    before = seen[0][0]
    for t_ns, values in seen:
        columns = _hop_columns(values)
        if usual and t_ns - before > _GAP * usual:
            table["t_s"].append((before + t_ns) / 2 / NS_PER_S)
            for name in columns:
                table[name].append(None)
        table["t_s"].append(t_ns / NS_PER_S)
        for name, value in columns.items():
            table.setdefault(name, []).append(value)
        before = t_ns
    return table
