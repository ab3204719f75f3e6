"""What moving backends cost: connections cut or drained, dials to old endpoints, misdeliveries.

A dial names a backend; the address and port it went to are those that the picker had been told of
by then. Held against the leases, each dial went to the backend's own port, to nobody's, or to a
port that meanwhile belonged to another backend: a misdelivery. Where several workers learnt of a
change one after the other, a dial counts only if it went astray by all their views.
"""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.backends import leases
from simulator.ports.lease import Lease, overlaps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulator.engine import Run

    Ints = np.ndarray[Any, np.dtype[np.int64]]
    Mask = np.ndarray[Any, np.dtype[np.bool_]]

_FOREVER: Final = 1 << 62
_HOWS: Final = ("drain", "crash", "hang")
Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dials:
    """Connects of whoever picks backends: balancer workers or, without one, the clients.

    Attributes:
        t_ns: when each was through, shape (dials,).
        backend: for whom it was meant.
        error: 0, or its errno.
    """

    t_ns: Ints
    backend: Ints
    error: Ints


def dials_of(run: Run) -> Dials:
    """All connects toward backends."""
    if run.scenario.balancer.driver != "none":
        rows = run.dials
        return Dials(t_ns=rows["t_ns"], backend=rows["backend"], error=rows["error"])
    rows = run.connections
    used = (rows["backend"] >= 0) & (rows["sent_ns"] >= 0)
    connected = rows["connected_ns"][used]
    return Dials(
        t_ns=np.where(connected >= 0, connected, rows["sent_ns"][used]).astype(np.int64),
        backend=rows["backend"][used].astype(np.int64),
        error=np.where(connected >= 0, 0, rows["error"][used]).astype(np.int64),
    )


def history(run: Run) -> list[Lease]:
    """Every lease of a run."""
    return [
        Lease(
            backend=int(one["backend"]),
            address=str(one["address"]),
            port=int(one["port"]),
            allocator=str(one["allocator"]),
            from_ns=int(one["from_ns"]),
            to_ns=None if one["to_ns"] is None else int(one["to_ns"]),
            lost_races=int(one["lost_races"]),
        )
        for one in leases(run)
    ]


def moves_table(run: Run) -> dict[str, Any]:
    """What `backends` of a summary says of moves; zeros when nobody moved."""
    left = [event for event in run.events if event.get("event") == "backend-left"]
    dials, foreign, stale = astray(run)
    opened = {
        how: sum(int(event.get("open", 0)) for event in left if event["how"] == how)
        for how in _HOWS
    }
    return {
        "left": len(left),
        "back": sum(event.get("event") == "backend-back" for event in run.events),
        "waits": sum(event.get("event") == "backend-waits" for event in run.events),
        "drained": opened["drain"],
        "cut": opened["crash"],
        "hung": opened["hang"],
        "refused_after_move": int(np.count_nonzero(stale & (dials.error == errno.ECONNREFUSED))),
        "misdelivered": int(np.count_nonzero(foreign & (dials.error == 0))),
        "overlaps": len(overlaps(history(run))),
    }


def astray(run: Run) -> tuple[Dials, Mask, Mask]:
    """All dials; which of them met another backend's port, and which a port not the backend's."""
    dials = dials_of(run)
    told = [event for event in run.events if event.get("event") == "membership"]
    return dials, *_astray(history(run), told, dials)


def _astray(
    held: Sequence[Lease], told: Sequence[Mapping[str, Any]], dials: Dials
) -> tuple[Mask, Mask]:
    """Dials that reached a port of another backend, and dials to a port not the backend's own."""
    foreign = np.zeros(len(dials.t_ns), dtype=np.bool_)
    stale = np.zeros(len(dials.t_ns), dtype=np.bool_)
    by_place: dict[Endpoint, list[Lease]] = {}
    for lease in held:
        by_place.setdefault((lease.address, lease.port), []).append(lease)
    had: dict[int, list[Lease]] = {}
    for lease in sorted(held, key=lambda one: one.from_ns):
        had.setdefault(lease.backend, []).append(lease)
    for backend, own in had.items():
        if len(own) == 1 and own[0].to_ns is None:
            continue
        mine = np.flatnonzero(dials.backend == backend)
        at = dials.t_ns[mine]
        views = [_view(backend, own, told, pick) for pick in (min, max)]
        masks = [_hits(view, by_place, backend, at) for view in views]
        foreign[mine] = masks[0][0] & masks[1][0]
        stale[mine] = masks[0][1] & masks[1][1]
    return foreign, stale


def _view(
    backend: int,
    own: Sequence[Lease],
    told: Sequence[Mapping[str, Any]],
    pick: Callable[[list[int]], int],
) -> list[tuple[int, Endpoint]]:
    """From when on a backend was believed to be where, by the first or the last who was told."""
    order: list[tuple[int, Endpoint]] = []
    if own[0].from_ns < 0:
        order.append((-_FOREVER, (own[0].address, own[0].port)))
    seen: Counter[tuple[object, object]] = Counter()
    words: dict[int, tuple[Endpoint, list[int]]] = {}
    for event in told:
        for one, address, port in event["insert"]:
            if int(one) != backend:
                continue
            # The n-th word that one worker hears of a backend is the n-th of every worker.
            worker = (event.get("role"), event.get("index"))
            word = words.setdefault(seen[worker], ((str(address), int(port)), []))
            word[1].append(int(event["t_ns"]))
            seen[worker] += 1
    order.extend((pick(times), endpoint) for _, (endpoint, times) in sorted(words.items()))
    return order


def _hits(
    view: Sequence[tuple[int, Endpoint]],
    by_place: Mapping[Endpoint, Sequence[Lease]],
    backend: int,
    at: Ints,
) -> tuple[Mask, Mask]:
    """Of dials at some moments: which met another's port, and which missed the backend's own."""
    foreign = np.zeros(len(at), dtype=np.bool_)
    own = np.zeros(len(at), dtype=np.bool_)
    for index, (begin, endpoint) in enumerate(view):
        end = view[index + 1][0] if index + 1 < len(view) else _FOREVER
        for lease in by_place.get(endpoint, ()):
            until = _FOREVER if lease.to_ns is None else lease.to_ns
            inside = (at >= max(begin, lease.from_ns)) & (at < min(end, until))
            if lease.backend == backend:
                own |= inside
            else:
                foreign |= inside
    return foreign, ~own
