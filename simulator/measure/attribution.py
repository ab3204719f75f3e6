"""Why each connection failed: the root cause behind what the client saw.

When the balancer cannot serve a client it closes the connection, and all the client sees is a
reset. The balancer wrote down why, with the client's address and port; joined by that tuple and
by time, a reset becomes ``balancer-backend/connect/EADDRNOTAVAIL``. A failure that joins nothing
keeps what the client saw on its own hop. With a sidecar between the two, the balancer's record is
first brought to the client behind the sidecar (`sidecar_join`).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.sidecar_join import last_at_or_before, refusals_behind_sidecar
from simulator.preflight.hops import client_hop
from simulator.records import Call, Hop, Outcome, error_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Columns, Run

#: A worker may stamp what it does with the moment it woke up, and a client's connect may fall
#: between that moment and the accept; so a refusal may seem this much older than its connection.
STAMP_SLACK_NS: Final = 50_000_000

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """Root causes of the failed rows of the connections table, each of shape (failed,).

    Attributes:
        row: index into the connections table, ascending.
        hop, call, error: where and how it failed; values of Hop, Call, errno or Ending.
        backend: the backend it was meant for, -1 unknown.
        joined: whether the balancer's own record gave the cause.
    """

    row: Ints
    hop: Ints
    call: Ints
    error: Ints
    backend: Ints
    joined: np.ndarray[Any, np.dtype[np.bool_]]

    def count_by_key(self) -> dict[str, int]:
        """``hop/call/ERRNO`` -> failed connections, the most frequent first."""
        table = np.stack([self.hop, self.call, self.error], axis=1)
        kinds, counts = np.unique(table, axis=0, return_counts=True)
        found = {
            error_key(Hop(int(hop)), int(call), int(error)): int(count)
            for (hop, call, error), count in zip(kinds, counts, strict=True)
        }
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def client_addresses(events: Sequence[Mapping[str, Any]]) -> Ints:
    """Client addresses by source index, as numbers in host order; empty when not told."""
    for event in events:
        if event.get("event") == "started":
            told = event.get("client_addresses") or []
            return np.array([int(ipaddress.IPv4Address(text)) for text in told], dtype=np.int64)
    return np.empty(0, dtype=np.int64)


def find_causes(run: Run) -> Causes:
    """The root cause of each failed connection of a run."""
    rows = run.connections
    failed = np.flatnonzero(rows["outcome"] == Outcome.FAILED)
    hop = np.full(len(failed), int(client_hop(run.scenario)), dtype=np.int64)
    call = rows["call"][failed].astype(np.int64)
    error = rows["error"][failed].astype(np.int64)
    backend = rows["backend"][failed].astype(np.int64)
    refusals = run.refusals
    if client_hop(run.scenario) is Hop.CLIENT_SIDECAR:
        refusals = refusals_behind_sidecar(
            run.refusals, run.sidecar_refusals, run.sidecar_cuts, STAMP_SLACK_NS
        )
    refusal = _matching_refusal(rows, failed, refusals, client_addresses(run.events))
    # What fails in the client's own socket() or bind() never reached the balancer, and where
    # there is none, rows of refusals are not this run's.
    refusal[np.isin(call, (Call.SOCKET, Call.BIND))] = -1
    if client_hop(run.scenario) is Hop.CLIENT_BACKEND:
        refusal[:] = -1
    joined = refusal >= 0
    for target, name in ((hop, "hop"), (call, "call"), (error, "error"), (backend, "backend")):
        target[joined] = refusals[name][refusal[joined]]
    if run.scenario.nat is not None:  # whoever dialed, it is the NAT that had none
        hop[call == Call.ALLOCATE] = Hop.NAT_BACKEND
    return Causes(row=failed, hop=hop, call=call, error=error, backend=backend, joined=joined)


def _matching_refusal(rows: Columns, failed: Ints, refusals: Columns, addresses: Ints) -> Ints:
    """Index of the refusal that explains each failed row, -1 = none; shape (failed,).

    A tuple may carry several connections one after the other, so each refusal belongs to the
    last one sent before it. All rows take part, so that a refusal never drifts to a neighbour
    that failed for a reason of its own.
    """
    found = np.full(len(failed), -1, dtype=np.int64)
    if not len(failed) or not len(refusals["t_ns"]) or not len(addresses):
        return found
    used = np.flatnonzero((rows["sent_ns"] >= 0) & (rows["port"] > 0))
    source = rows["source"][used].astype(np.int64)
    used = used[(source >= 0) & (source < len(addresses))]
    key = addresses[rows["source"][used].astype(np.int64)] << 16 | rows["port"][used]
    sent = rows["sent_ns"][used].astype(np.int64)
    order = np.lexsort((sent, key))
    used, key, sent = used[order], key[order], sent[order]
    owner = _owner_rows(rows, used, key, sent, refusals)
    place = np.searchsorted(failed, owner)
    place = np.minimum(place, len(failed) - 1)
    hit = (owner >= 0) & (failed[place] == owner)
    found[place[hit]] = np.flatnonzero(hit)
    return found


def _owner_rows(rows: Columns, used: Ints, key: Ints, sent: Ints, refusals: Columns) -> Ints:
    """The row of the connections table that each refusal belongs to, -1 = none.

    Args:
        rows: the connections table.
        used: rows with a known tuple, sorted by tuple and then by the moment they were sent.
        key: their tuples as numbers.
        sent: their moments.
        refusals: REFUSAL_COLUMNS.
    """
    wanted = refusals["peer_address"] << 16 | refusals["peer_port"]
    accepted = refusals["accepted_ns"]
    owner = np.full(len(wanted), -1, dtype=np.int64)
    # The exact moment first: a neighbour inside the slack is only taken when nothing else fits.
    for slack in (0, STAMP_SLACK_NS):
        last = last_at_or_before(key, sent, wanted, refusals["t_ns"] + slack)
        safe = np.maximum(last, 0)
        closed = rows["closed_ns"][used[safe]]
        fits = (
            (last >= 0)
            & (key[safe] == wanted)
            & ((closed < 0) | (closed + STAMP_SLACK_NS >= accepted))
            & (rows["outcome"][used[safe]] == Outcome.FAILED)
            & (owner < 0)
        )
        owner[fits] = used[safe[fits]]
    return owner
