"""What the balancer refused, told of the clients behind a sidecar.

The balancer knows its peer by the sidecar's address and port. When it refuses, it resets that
connection, and the sidecar writes down a cut: the same address and port, and those of the client.
So a refusal of the balancer and the cut that followed it are one story, and the client's own reset
is the end of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.records import REFUSAL_COLUMNS

if TYPE_CHECKING:
    from simulator.engine import Columns

Ints = np.ndarray[Any, np.dtype[np.int64]]


def refusals_behind_sidecar(
    balancer: Columns, sidecar: Columns, cuts: Columns, slack_ns: int
) -> dict[str, Ints]:
    """All refusals of a run with a sidecar as if each had been told to its client.

    Args:
        balancer: REFUSAL_COLUMNS; its peers are the sidecar's addresses and ports.
        sidecar: REFUSAL_COLUMNS; its peers are clients.
        cuts: CUT_COLUMNS.
        slack_ns: by how much stamps of one moment may differ between two processes.

    Returns:
        REFUSAL_COLUMNS with clients as peers: the sidecar's own, and those of the balancer that a
        cut leads on to a client.
    """
    refusal, cut = _pairs(balancer, cuts, slack_ns)
    found = {}
    for name in REFUSAL_COLUMNS:
        # Whose connection it was is known to the cut; what went wrong, to the refusal.
        source, row = (cuts, cut) if name in cuts and name != "t_ns" else (balancer, refusal)
        told = cuts["t_ns"][cut] if name == "t_ns" else source[name][row]
        found[name] = np.concatenate([sidecar[name], told]).astype(np.int64)
    return found


def _pairs(balancer: Columns, cuts: Columns, slack_ns: int) -> tuple[Ints, Ints]:
    """Refusals and the cuts they led to, as indices of shape (pairs,).

    A cut is that of the last refusal before it on its tuple, unless the sidecar had accepted the
    client only after that refusal: then it was another connection's, and the balancer passed on a
    reset of a backend.
    """
    none = np.empty(0, dtype=np.int64)
    if not len(balancer["t_ns"]) or not len(cuts["t_ns"]):
        return none, none
    key = balancer["peer_address"] << 16 | balancer["peer_port"]
    order = np.lexsort((balancer["t_ns"], key))
    wanted = cuts["near_address"] << 16 | cuts["near_port"]
    last = last_at_or_before(key[order], balancer["t_ns"][order], wanted, cuts["t_ns"])
    refusal = order[np.maximum(last, 0)]
    fits = (
        (last >= 0)
        & (key[refusal] == wanted)
        & (balancer["accepted_ns"][refusal] + slack_ns >= cuts["accepted_ns"])
        & (balancer["t_ns"][refusal] >= cuts["accepted_ns"])
    )
    return refusal[fits], np.flatnonzero(fits)


def last_at_or_before(key: Ints, sent: Ints, wanted: Ints, moment: Ints) -> Ints:
    """Index of the last (key, sent) that is not above each (wanted, moment), -1 = none.

    Both are ranked in one sort, since numpy has no search over pairs.
    """
    size = len(key)
    # At equal pairs the table's rows come first, so that "not above" includes equality.
    side = np.concatenate([np.zeros(size, np.int8), np.ones(len(wanted), np.int8)])
    order = np.lexsort((side, np.concatenate([sent, moment]), np.concatenate([key, wanted])))
    from_table = side[order] == 0
    seen = np.cumsum(from_table) - 1
    found = np.empty(len(wanted), dtype=np.int64)
    asked = ~from_table
    found[order[asked] - size] = seen[asked]
    return found
