"""Clients of other systems in numbers: their ports, how long a closed tuple is gone, how they pick.

`systems` says the same for people. Windows's TIME_WAIT is documented both as 120 s and as 240 s
(TcpTimedWaitDelay): the longer one is taken, as its article on port exhaustion says 4 minutes.

Sources: Microsoft KB 929851, "Troubleshoot port exhaustion issues"; XNU bsd/netinet/in_pcb.c
(range), tcp_subr.c (TCP walks on from the last port), tcp_timer.h (2 x 15 s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from simulator.ports.range import PortRange

SystemName = Literal["linux", "windows", "windows-2003", "macos"]
_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSystem:
    """One system's choice of source ports.

    Attributes:
        ports: what it picks from.
        time_wait_ns: how long the side that closed first keeps its tuple.
        in_order: whether it takes the next port after the last one; drawn at random otherwise,
            also where the choice is not documented.
    """

    ports: PortRange
    time_wait_ns: int
    in_order: bool


#: Systems other than the one that the kernel engine runs on.
CLIENT_SYSTEMS: Final[dict[str, ClientSystem]] = {
    "windows": ClientSystem(ports=PortRange(49152, 65535), time_wait_ns=240 * _S, in_order=False),
    "windows-2003": ClientSystem(ports=PortRange(1025, 5000), time_wait_ns=240 * _S, in_order=True),
    "macos": ClientSystem(ports=PortRange(49152, 65535), time_wait_ns=30 * _S, in_order=True),
}
