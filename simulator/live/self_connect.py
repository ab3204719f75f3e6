"""A dialer that notices when a connection has its own end as its other end.

Whoever retries connect() toward a closed port of its own host, from ports that the kernel picks,
is sooner or later given that very port. The SYN then meets the socket that sent it: a simultaneous
open with itself, which succeeds. What is written comes back as if it were the answer, and while the
connection stands, the service that should listen there cannot bind its port.

Source: RFC 9293 section 3.5 (simultaneous open); seen on Linux 6.18. Local and remote end are the
same when the local end is what was dialed, so one getsockname() after each connect tells. Only a
scenario in which it can happen gets this dialer.
"""

from __future__ import annotations

from simulator.live.kernel_dialer import KernelDialer
from simulator.records import Call, Ending


class WaryDialer(KernelDialer):
    """The kernel picks the port; a connection to itself counts as a connect that failed."""

    def dial(self, destination: int) -> int:
        """Begin a connect; one that met itself is reset, so that its port is free at once."""
        fd = super().dial(destination)
        self.last_port = 0
        if fd < 0:
            return fd
        name = self.sockets[fd].getsockname()
        self.last_port = name[1]
        if name != self._endpoints[destination]:
            return fd
        self.reset(fd)
        return self._failed(Call.CONNECT, Ending.SELF_CONNECT)

    def recipe(self) -> None:  # type: ignore[override] # as the base of all says
        """Only we look where a connect has led."""
        return
