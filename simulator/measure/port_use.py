"""How evenly the ports of a hop were used, and how soon the same tuple came back.

A tuple that returns soon may meet its own TIME_WAIT, a NAT's memory or a firewall's. The distance
between two uses of one tuple is counted in connections of the hop and in time, from one connect to
the next.

Source of the index of evenness: Jain, Chiu, Hawe, DEC-TR-301, 1984; of the distance between uses as
the measure of a port selection: RFC 6056, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simulator.measure.dns import pool_ports
from simulator.measure.hops import relay_dials
from simulator.preflight.hops import source_of, source_ports
from simulator.records import Hop
from simulator.scenario.schema import KERNEL_PICKS
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run

Ints = np.ndarray[Any, np.dtype[np.int64]]


class _Uses(NamedTuple):
    """The connections of a hop that got a port, in time order; arrays of shape (n,)."""

    t_ns: Ints
    source: Ints
    port: Ints
    destination: Ints


def _ordered(t_ns: Ints, *columns: Ints) -> _Uses:
    order = np.argsort(t_ns, kind="stable")
    source, port, destination = (column[order].astype(np.int64) for column in columns)
    return _Uses(t_ns[order].astype(np.int64), source, port, destination)


def _uses(run: Run, hop: Hop) -> tuple[_Uses, int]:
    """The uses of known ports, and how many connections had one that nobody asked for.

    Where the kernel picks for the balancer, reading each port would cost a system call for each
    connection, and the relay does not.
    """
    if hop is Hop.NAT_BACKEND:  # which place each connection had there is not written down
        nobody = np.empty(0, dtype=np.int64)
        return _ordered(nobody, nobody, nobody, nobody), 0
    dials = relay_dials(run, hop)
    if dials is not None:
        made = dials["error"] == 0
        good = made & (dials["port"] > 0)
        t_ns, backend = dials["t_ns"][good], dials["backend"][good]
        where = np.zeros(len(t_ns), dtype=np.int64)  # a sidecar has one destination
        if hop is Hop.BALANCER_BACKEND:
            where = _endpoints(run.leases, backend, t_ns)
        uses = _ordered(t_ns, dials["source"][good], dials["port"][good], where)
        return uses, int(np.count_nonzero(made) - np.count_nonzero(good))
    rows = run.connections
    made = rows["connected_ns"] >= 0
    good = made & (rows["port"] > 0)
    t_ns, backend = rows["sent_ns"][good], rows["backend"][good]
    where = np.zeros(len(t_ns), dtype=np.int64)  # the balancer's front is one destination
    if hop is Hop.CLIENT_BACKEND:
        where = _endpoints(run.leases, backend, t_ns)
    uses = _ordered(t_ns, rows["source"][good], rows["port"][good], where)
    return uses, int(np.count_nonzero(made) - np.count_nonzero(good))


def _endpoints(leases: Sequence[Mapping[str, Any]], backend: Ints, t_ns: Ints) -> Ints:
    """A number for the endpoint that each backend had at each moment, shape (n,).

    A backend that moved is another destination, and one that came to an endpoint that was
    somebody else's is the same one: tuples know no names.
    """
    by_backend: dict[int, dict[int, tuple[str, int]]] = {}
    for lease in leases:
        had = by_backend.setdefault(int(lease["backend"]), {})
        had[int(lease["from_ns"])] = (str(lease["address"]), int(lease["port"]))
    numbers: dict[tuple[str, int], int] = {}
    # Backends of which no lease was told keep numbers of their own, which no endpoint has.
    found = -1 - backend.astype(np.int64)
    for one, had in by_backend.items():
        rows = np.flatnonzero(backend == one)
        if not len(rows):
            continue
        since = sorted(had)
        known = np.array([numbers.setdefault(had[t], len(numbers)) for t in since], dtype=np.int64)
        place = np.searchsorted(np.array(since, dtype=np.int64), t_ns[rows], side="right") - 1
        found[rows] = known[np.maximum(place, 0)]
    return found


def _distances(uses: _Uses) -> tuple[Ints, Ints]:
    """Connections and ns between each use of a tuple and the one before it; shape (returns,)."""
    order = np.lexsort((np.arange(len(uses.t_ns)), uses.port, uses.source, uses.destination))
    same = np.ones(max(0, len(order) - 1), dtype=np.bool_)
    for column in (uses.port, uses.source, uses.destination):
        same &= np.diff(column[order]) == 0
    return np.diff(order)[same], np.diff(uses.t_ns[order])[same]


def evenness(counts: Ints) -> dict[str, float | None]:
    """How even counts of shape (ports,) are, those of 0 included; None when all are 0.

    Returns:
        ``jain``: 1 when all are equal, 1/n when one has everything. ``dispersion``: chi-square
        against even use, for each degree of freedom: 0 in perfect turn, 1 when drawn at random,
        more when some ports are preferred.
    """
    total = int(counts.sum())
    if not total:
        return {"jain": None, "dispersion": None}
    squares = float((counts.astype(np.float64) ** 2).sum())
    size = len(counts)
    # sum (x - m)^2 / m with m = total / n, written without the differences.
    chi_square = max(0.0, squares * size / total - total)
    return {
        "jain": total * total / (size * squares),
        "dispersion": chi_square / (size - 1) if size > 1 else None,
    }


def port_use(run: Run, hop: Hop) -> dict[str, Any]:
    """``hops[].port_use`` of a summary.

    Returns:
        ``connections`` whose port is known, and ``unknown``, those whose port is not; ``ports``:
        of the range that is picked from; ``distinct``: of those, how many were used; ``outside``:
        connections from other ports; ``jain`` and ``dispersion`` over the ports of the range;
        ``returns``: how often a tuple came back; ``reuse_connections`` and ``reuse_s``: {``min``,
        ``median``} of the distance to it, None when none came back.
    """
    uses, unknown = _uses(run, hop)
    offered = _offered(run, hop)
    counts = np.bincount(uses.port, minlength=65536)[offered]
    apart, after_ns = _distances(uses)
    if run.folded is not None:
        unknown = sum(run.folded["opened"])
    return {
        "connections": len(uses.port),
        "unknown": unknown,
        "ports": len(offered),
        "distinct": int(np.count_nonzero(counts)),
        "outside": len(uses.port) - int(counts.sum()),
        **evenness(counts),
        "returns": len(apart),
        "reuse_connections": _least_and_middle(apart, 1),
        "reuse_s": _least_and_middle(after_ns, NS_PER_S),
    }


def _offered(run: Run, hop: Hop) -> Ints:
    """The ports that a hop's sources pick from, those left out that the kernel never hands out."""
    pool = pool_ports(run) if hop is Hop.BALANCER_BACKEND else None
    if pool is not None:
        return pool
    source = source_of(run.scenario, hop)
    ports = source_ports(run.scenario, source)
    chosen = np.zeros(65536, dtype=np.bool_)
    chosen[ports.first : ports.last + 1] = True
    if source.ports in KERNEL_PICKS or source.ports == "early-bind":
        for reserved in run.scenario.kernel.reserved_ports:
            chosen[reserved.first : reserved.last + 1] = False
    return np.flatnonzero(chosen)


def _least_and_middle(values: Ints, unit: int) -> dict[str, float] | None:
    if not len(values):
        return None
    return {"min": float(values.min()) / unit, "median": float(np.median(values)) / unit}
