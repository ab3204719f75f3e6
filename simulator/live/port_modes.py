"""How a connect takes its source port: the one switch that users come to compare.

Who picks the port, and what the kernel says when there is none left (Linux 6.18, TCP):

=============  ==========================================================  ======================
mode           what is done                                                out of ports
=============  ==========================================================  ======================
kernel         connect()                                                   EADDRNOTAVAIL, connect
late-bind      IP_BIND_ADDRESS_NO_PORT, bind(address, 0), connect()        EADDRNOTAVAIL, connect
early-bind     bind(address, 0), connect(): the port is taken before the   EADDRINUSE, bind
               destination is known, so for all destinations
socket-range   IP_LOCAL_PORT_RANGE, then as `kernel`; since Linux 6.8 the  EADDRNOTAVAIL, connect
               kernel then walks every port, not one parity first
userspace      a free port of our own list toward this destination,        NO_PORT, the kernel is
               SO_REUSEADDR, bind(address, port), connect()                not asked
permanent      the next port never used before, bind(address, port),       EADDRINUSE, bind
               connect(); the descriptor is kept when the connection ends
=============  ==========================================================  ======================

`kernel` with source addresses given is the same thing as `late-bind`: there is no way to name an
address without bind(), and a plain bind() would turn it into `early-bind`. Without addresses
(``addresses=()``) `kernel` is a truly plain connect() whose address the routing table picks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from simulator.live.kernel_dialer import KernelDialer
from simulator.live.permanent_dialer import PermanentDialer
from simulator.live.userspace_dialer import UserspaceDialer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.live.dialer import Dialer
    from simulator.ports.range import PortRange
    from simulator.seeds import Random

Mode = Literal["kernel", "early-bind", "late-bind", "socket-range", "userspace", "permanent"]


def new_dialer(
    mode: Mode,
    addresses: Sequence[str],
    ports: PortRange,
    *,
    pick: str = "random",
    generator: Random,
    reserved: Sequence[PortRange] = (),
) -> Dialer:
    """The dialer of a scenario's `source.ports`.

    Args:
        mode: scenario `source.ports`.
        addresses: source addresses; may be empty for the modes in which the kernel picks.
        ports: this worker's own slice for `userspace` and `permanent`, the range for
            `socket-range`; not used otherwise.
        pick: scenario `source.pick`.
        generator: where random picks come from.
        reserved: ports that we never pick ourselves.
    """
    if mode == "userspace":
        return UserspaceDialer(addresses, ports, pick, generator, reserved)
    if mode == "permanent":
        return PermanentDialer(addresses, ports, reserved)
    return KernelDialer(mode, addresses, ports)
