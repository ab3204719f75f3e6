"""One listening port served by several processes, as servers share one with SO_REUSEPORT.

A process holds so many connections as its descriptor limit allows, and a port has no such limit.
The first process of the namespace takes the port as every listener does, by binding it alone, and
only then lets others in: a port that is shared from the start could be shared with anybody. The
kernel spreads new connections over the listeners by a hash of the tuple, so their numbers differ
by a few standard deviations of a binomial draw.

Source: socket(7), SO_REUSEPORT; net/core/sock_reuseport.c; net/ipv4/inet_connection_sock.c,
`inet_csk_bind_conflict`, which lets in who shares when every holder now says that it shares.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from simulator.live.listening import PortTaker
from simulator.live.settings import BackendRole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.live.settings import RoleSpec
    from simulator.ports.lease import Lease

#: A listener that a process was given, and the lease that stands for all of them.
Share = tuple[socket.socket, "Lease"]


def take_shared_ports(roles: Iterable[RoleSpec]) -> dict[int, Share]:
    """Take one port for each backend with several processes, and a listener for each of them.

    Args:
        roles: all roles of a crew; those whose backend is not shared are passed over.

    Returns:
        By index of the backend role: its bound socket, which does not listen yet.

    Raises:
        NoPortLeft: there is none.
        OSError: no descriptor is left.
    """
    found: dict[int, Share] = {}
    first: dict[int, Share] = {}
    for spec in roles:
        settings = spec.settings
        if not isinstance(settings, BackendRole) or settings.shares < 2:
            continue
        (backend,) = settings.ids
        if backend in first:
            listener, lease = first[backend]
            found[spec.index] = (_another(lease), lease)
            continue
        listener, lease = PortTaker(settings).take(backend, settings.addresses[0])
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first[backend] = found[spec.index] = (listener, lease)
    return found


def _another(lease: Lease) -> socket.socket:
    """One more socket on a port that is ours already."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((lease.address, lease.port))
    except OSError:
        listener.close()
        raise
    return listener


def keep_only(shares: dict[int, Share], spec: RoleSpec) -> Share | None:
    """In a forked role: its own share; all others are closed, or they would hold connections."""
    mine = shares.get(spec.index) if spec.kind == "backend" else None
    for share in shares.values():
        if share is not mine:
            share[0].close()
    return mine
