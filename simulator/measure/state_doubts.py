"""Doubts from the states of the kernel's socket table: half-closed ends, and TIME_WAIT left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.measure.half_closed import half_closed
from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run
    from simulator.records import Hop

OVERFLOW: Final = "TcpExt.TCPTimeWaitOverflow"
#: code, message, remedy
Said = tuple[str, str, str]


def state_doubts(run: Run, hops: Sequence[Hop], counters: Mapping[str, int]) -> list[Said]:
    """What the states say against a plain reading of the run."""
    found: list[Said] = []
    for hop in hops:
        seen = half_closed(run, hop)
        if seen.grows:
            message = (
                f"{format_count(seen.peak)} connections of {hop.label} were closed by one side "
                f"only (FIN_WAIT, CLOSE_WAIT), and their number grew to the end"
            )
            remedy = (
                "close the descriptor where the end of the stream is read; until then no timeout "
                "of the kernel ends them"
            )
            found.append(("half-closed", message, remedy))
    lost = counters.get(OVERFLOW, 0)
    if lost:
        message = (
            f"{format_count(lost)} closed connections got no TIME_WAIT, since there were more than "
            f"tcp_max_tw_buckets: they held no tuple"
        )
        remedy = "raise net.ipv4.tcp_max_tw_buckets; counts of TIME_WAIT are too low here"
        found.append(("time-wait-overflow", message, remedy))
    return found
