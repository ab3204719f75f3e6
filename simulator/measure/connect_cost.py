"""What a connect() costs as the tuples run out: its time against the occupancy of its group.

The kernel looks for a free port by trying one half of the range before the other, so its cost
jumps when half of the tuples are in use; a program that picks ports itself pays the same to the
last one. This table is what shows it, and the knee in it (`knee.py`) where it has one.

How the occupancy of a connect is known, told as ``method``: *order* when nothing was closed
before the last connect, since then the n-th connection of a group finds n - 1 tuples in use,
exactly; *exact* in the model, which notes it; else *samples*, the worst group's tuples interpolated
between two samples of the kernel's table.

In the model a connect costs no time. What is told there is how many ports were looked at, in
``unit`` *probes* instead of *ns*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.histogram import Histogram
from simulator.measure.hops import relay_dials
from simulator.measure.knee import knee
from simulator.measure.modelled import is_modelled
from simulator.records import Hop, Outcome
from simulator.scenario.driver import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine import Columns, Run
    from simulator.measure.hops import HopFacts

BUCKETS: Final = 20
#: What the rest of a connect() costs, in ports looked at: 35 to 50 us against 70 ns a port on Linux
#: 6.18, while it went on in a busy 2-core machine. Only a knee in probes depends on it.
REST_PROBES: Final = 512

Ints = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Connects:
    """The connects of one hop in time order; arrays of shape (n,).

    Attributes:
        t_ns: when the call returned.
        cost: time inside bind() and connect(), ns; of the model, ports looked at.
        group: number of the tuple group, any order.
        failed: whether the call gave no connection.
    """

    t_ns: Ints
    cost: Ints
    group: Ints
    failed: Ints


def _of_dials(dials: Columns) -> Connects:
    order = np.argsort(dials["t_ns"], kind="stable")
    group = dials["source"] << 32 | dials["backend"]
    return Connects(
        dials["t_ns"][order], dials["call_ns"][order], group[order], dials["error"][order] != 0
    )


def _of_clients(run: Run) -> Connects:
    rows = run.connections
    tried = np.flatnonzero((rows["sent_ns"] >= 0) & (rows["connect_call_ns"] > 0))
    tried = tried[np.argsort(rows["sent_ns"][tried], kind="stable")]
    source = rows["source"][tried].astype(np.int64)
    group = source << 32 | (rows["backend"][tried].astype(np.int64) + 1)
    failed = (rows["outcome"][tried] == Outcome.FAILED) & (rows["connected_ns"][tried] < 0)
    return Connects(rows["sent_ns"][tried], rows["connect_call_ns"][tried], group, failed)


def _of_walks(run: Run, hop: Hop) -> tuple[Connects, Ints]:
    """What the model looked at on a hop, and the tuples in use before each, shape (n,)."""
    rows = run.walks["hop"] == hop
    found = {name: column[rows] for name, column in run.walks.items()}
    group = found["source"] << 32 | found["destination"]
    connects = Connects(found["t_ns"], found["probes"], group, found["port"] == 0)
    return connects, found["in_use"]


def _order_occupancy(connects: Connects, budget: int) -> Ints:
    """Share in use before each connect when nothing is ever given back."""
    order = np.argsort(connects.group, kind="stable")
    group, took = connects.group[order], (~connects.failed[order]).astype(np.int64)
    before = np.cumsum(took) - took
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    sizes = np.diff(np.append(starts, len(group)))
    in_use = before - np.repeat(before[starts], sizes)
    found = np.empty(len(group))
    found[order] = in_use / budget
    return found


def _sample_occupancy(run: Run, hop: Hop, t_ns: Ints, budget: int) -> Ints | None:
    """Share in use in the worst group, interpolated between samples; None without samples."""
    seen = [
        (int(sample["t_ns"]), int((sample["hops"][hop.label].get("worst") or {}).get("in_use", 0)))
        for sample in run.samples
        if hop.label in sample.get("hops", {})
    ]
    if not seen:
        return None
    times, in_use = np.array(seen, dtype=np.float64).T
    found: Ints = np.interp(t_ns, times, in_use) / budget
    return found


def _nothing_was_closed(run: Run, connects: Connects) -> bool:
    """Whether every tuple taken was still held at the last connect."""
    closed = run.connections["closed_ns"]
    opened = run.connections["connected_ns"] >= 0
    ends = closed[opened & (closed >= 0)]
    return not len(ends) or int(ends.min()) >= int(connects.t_ns[-1])


def connect_cost(run: Run, facts: HopFacts) -> dict[str, Any]:
    """The table of one hop, as summaries hold it.

    Returns:
        ``hop``, ``method``, ``unit``, ``knee`` (share of the budget in use from which on it costs
        several times as much, None without one) and ``buckets``: per 5 % of occupancy that any
        connect met, ``from`` and ``to`` (shares), ``n`` calls, ``failures`` among them, ``p50``,
        ``p90``, ``p99`` and ``max`` in the unit of those that succeeded (None where fewer than ten
        lie beyond), and ``failed_max``.
    """
    unit = "probes" if is_modelled(run) else "ns"
    empty: dict[str, Any] = {
        "hop": facts.hop.label, "method": None, "unit": unit, "knee": None, "buckets": [],
    }  # fmt: skip
    if is_modelled(run):
        connects, in_use = _of_walks(run, facts.hop)
        if not len(connects.t_ns) or facts.budget <= 0:
            return empty
        return empty | _table("exact", connects, in_use / facts.budget)
    if facts.hop is Hop.BALANCER_BACKEND and run.scenario.balancer.driver in FOREIGN:
        return empty  # it tells of failed connects only, and of none how long it took
    dials = relay_dials(run, facts.hop)
    connects = _of_clients(run) if dials is None else _of_dials(dials)
    if not len(connects.t_ns) or facts.budget <= 0:
        return empty
    occupancy: Ints | None
    if _nothing_was_closed(run, connects):
        method, occupancy = "order", _order_occupancy(connects, facts.budget)
    else:
        method = "samples"
        occupancy = _sample_occupancy(run, facts.hop, connects.t_ns, facts.budget)
    if occupancy is None:
        return empty
    return empty | _table(method, connects, occupancy)


def _table(method: str, connects: Connects, occupancy: Ints) -> dict[str, Any]:
    # What finds everything taken belongs to the last bucket, which is closed at 100 %.
    bucket = np.clip((occupancy * BUCKETS + 1e-9).astype(np.int64), 0, BUCKETS - 1)
    rows = [_bucket_row(connects, bucket, int(index)) for index in np.unique(bucket)]
    good = ~connects.failed
    rest = REST_PROBES if method == "exact" else 0
    jumps_at = knee(occupancy[good], connects.cost[good] + rest)
    return {"method": method, "buckets": rows, "knee": jumps_at}


def _bucket_row(connects: Connects, bucket: Ints, index: int) -> dict[str, Any]:
    chosen = bucket == index
    good = Histogram(connects.cost[chosen & ~connects.failed].astype(np.int64))
    bad = connects.cost[chosen & connects.failed]
    return {
        "from": index / BUCKETS,
        "to": (index + 1) / BUCKETS,
        "n": int(np.count_nonzero(chosen)),
        "failures": len(bad),
        "p50": good.quantile_if_told(0.5),
        "p90": good.quantile_if_told(0.9),
        "p99": good.quantile_if_told(0.99),
        "max": good.max_ns if good.count else None,
        "failed_max": int(bad.max()) if len(bad) else None,
    }


def connect_cost_by_hop(run: Run, hops: Sequence[HopFacts]) -> dict[str, dict[str, Any]]:
    """The tables of all hops that have one, by the hop's label; the balancer's own hop first.

    Of a run of the model, none where the program picks its ports, or that went by arrays.
    """
    tables = (connect_cost(run, facts) for facts in reversed(hops))
    return {table["hop"]: table for table in tables if table["buckets"]}
