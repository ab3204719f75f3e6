"""What the relay bench asks of its subjects: five kinds of work, each with its unit.

==========  ================================================================  ===================
workload    what a client does                                                measured for each
==========  ================================================================  ===================
close       connect, 64 bytes up, 64 bytes down, close                        connection
close-both  the same, and the relay ends both sides at the first end          connection
keepalive   the same exchange again and again over open connections           request
bulk        64 bytes up, 1,000,000 bytes down, again and again                megabyte
hold        one exchange, then silence                                        held connection
==========  ================================================================  ===================

In `close` an end is passed on by shutdown() and the other side's awaited, which is what HAProxy
always does, nginx if told (`proxy_half_close on`) and ours unless told otherwise. `close-both` is
nginx's own default and our `half_close: false`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One kind of work.

    Attributes:
        name: as typed.
        unit: what is counted, one word for a table.
        at_once: connections open at any time, unless asked for otherwise.
        answer_bytes: length of each answer.
        ends: whether a connection ends after its answer.
        half_close: whether the relay passes on the end of one side, or ends both.
        counts_memory: whether the subject's memory is the point, rather than its CPU over a time.
    """

    name: str
    unit: str
    at_once: int
    answer_bytes: int = 64
    ends: bool = False
    half_close: bool = True
    counts_memory: bool = False


CLOSE: Final = Workload(name="close", unit="connection", at_once=64, ends=True)
CLOSE_BOTH: Final = Workload(
    name="close-both", unit="connection", at_once=64, ends=True, half_close=False
)
KEEPALIVE: Final = Workload(name="keepalive", unit="request", at_once=64)
BULK: Final = Workload(name="bulk", unit="MB", at_once=8, answer_bytes=1_000_000)
HOLD: Final = Workload(name="hold", unit="connection", at_once=8_000, counts_memory=True)

WORKLOADS: Final[dict[str, Workload]] = {
    one.name: one for one in (CLOSE, CLOSE_BOTH, KEEPALIVE, BULK, HOLD)
}
