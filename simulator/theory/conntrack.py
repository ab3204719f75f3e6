"""Where a NAT or a stateful firewall ends: its table of connections, and its ports.

A tracked connection holds an entry while it is open and for a time after its close (Linux: 120 s
of TIME_WAIT, whatever the ends do). The table is one for all destinations, so that it is a ceiling
beside that of the tuples, and the lower of both is met.

Valid in steady state, for connections that close; those that are cut off stay for the time-out of
the state they were in: 5 days for an established one unless it was set.

Source: Linux, Documentation/networking/nf_conntrack-sysctl.rst; Little (1961).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from simulator.theory.little import ceiling_per_s, tuples_in_use

#: nf_conntrack_tcp_timeout_time_wait, and what a UDP exchange is kept for.
TIME_WAIT_S: Final = 120.0
UDP_S: Final = 30.0
UDP_STREAM_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NatCeiling:
    """The most that one NAT carries.

    Attributes:
        per_s: connections per second that can go on.
        by: which of the two is met first.
        table_per_s: what the table alone would carry.
        tuples_per_s: what the ports alone would carry.
    """

    per_s: float
    by: Literal["table", "tuples"]
    table_per_s: float
    tuples_per_s: float


def entries_in_use(rate_per_s: float, open_s: float, kept_s: float = TIME_WAIT_S) -> float:
    """Entries on average, ``r (H + W)``.

    Raises:
        ValueError: an argument is negative.
    """
    return tuples_in_use(rate_per_s, open_s, kept_s)


def nat_ceiling(
    entries: int,
    tuples: int,
    open_s: float,
    kept_s: float = TIME_WAIT_S,
    blocked_s: float | None = None,
) -> NatCeiling:
    """The lower of table and ports.

    Args:
        entries: size of the table (nf_conntrack_max), >= 0.
        tuples: ports x addresses of the NAT x destinations, >= 0.
        open_s: H, mean time a connection is open, s.
        kept_s: how long an entry outlives its connection, s.
        blocked_s: how long a tuple does, s; None = as long as its entry, as on Linux.

    Raises:
        ValueError: an argument is negative.
    """
    table = ceiling_per_s(entries, open_s, kept_s)
    ports = ceiling_per_s(tuples, open_s, kept_s if blocked_s is None else blocked_s)
    return NatCeiling(
        per_s=min(table, ports),
        by="table" if table <= ports else "tuples",
        table_per_s=table,
        tuples_per_s=ports,
    )
